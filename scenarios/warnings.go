package scenarios

import "fmt"

// warning is something left out, assumed or odd, and where.
type warning struct {
	text  string
	where string // file, document and object of the first
}

// warnings counts warnings of one text, in order of their first.
type warnings struct {
	order []string
	seen  map[string]*countedWarning
}

type countedWarning struct {
	first string
	count int
}

// maxWarnings is how many different warnings are kept.
const maxWarnings = 1000

func (w *warnings) add(one warning) {
	if w.seen == nil {
		w.seen = map[string]*countedWarning{}
	}
	if c, ok := w.seen[one.text]; ok {
		c.count++
		return
	}
	if len(w.order) < maxWarnings {
		w.order = append(w.order, one.text)
		w.seen[one.text] = &countedWarning{first: one.where, count: 1}
	}
}

// lines prints each text once, with its place or with the number of places.
func (w *warnings) lines() []string {
	lines := make([]string, 0, len(w.order))
	for _, text := range w.order {
		c := w.seen[text]
		switch {
		case c.first == "":
			lines = append(lines, text)
		case c.count == 1:
			lines = append(lines, c.first+": "+text)
		default:
			lines = append(lines, fmt.Sprintf("%s (%d objects, the first in %s)", text, c.count, c.first))
		}
	}
	return lines
}
