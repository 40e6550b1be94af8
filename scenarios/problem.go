package scenarios

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/binwright/binwright/instancetypes"
)

// Problem is one mistake in an input, and where it is.
type Problem struct {
	// File is the path as the user gave it or as it was found below the directory
	// given; "stdin" for standard input, the name handed to Read for a reader.
	File string
	// Document counts the documents of the file from 1; 0 means the file as a whole.
	Document int
	// Object is kind, namespace and name, such as "Pod default/web-1"; an object
	// without a name is told by its place ("items[3] (Pod)"). "" for the document as a whole.
	Object string
	// Field is the JSON path, such as spec.containers[0].resources.requests[cpu].
	// "" for the object as a whole.
	Field string
	// Message says what is wrong, and where possible what to do.
	Message string
}

// String prints the problem in one line: "file: document 2: Pod default/web: field: message".
func (p Problem) String() string {
	parts := make([]string, 0, 5)
	parts = append(parts, p.File)
	if p.Document > 0 {
		parts = append(parts, "document "+strconv.Itoa(p.Document))
	}
	for _, s := range []string{p.Object, p.Field, p.Message} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// LoadError is every mistake found in an input, in the order of the input.
type LoadError struct {
	Problems []Problem
	// Omitted counts further problems that are not listed, so that a hostile
	// file cannot make a report of its own size.
	Omitted int
}

// maxProblems is how many problems a LoadError lists.
const maxProblems = 1000

// Error lists the problems, one a line.
func (e *LoadError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(p.String())
	}
	if e.Omitted > 0 {
		fmt.Fprintf(&b, "\nand %d more", e.Omitted)
	}
	return b.String()
}

// add keeps a problem or, once there are too many, counts it.
func (e *LoadError) add(p Problem) {
	if len(e.Problems) >= maxProblems {
		e.Omitted++
		return
	}
	p.Message = shorten(p.Message)
	e.Problems = append(e.Problems, p)
}

// sort brings the problems into the order of the input.
func (e *LoadError) sort(sources []source) {
	order := make(map[string]int, len(sources))
	for i, s := range sources {
		order[s.name] = i
	}
	slices.SortStableFunc(e.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(order[a.File], order[b.File]), cmp.Compare(a.Document, b.Document))
	})
}

// orNil returns the error if there is any problem.
func (e *LoadError) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// shorten cuts text that comes from the input to what a terminal can show.
func shorten(text string) string {
	const most = 500
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + fmt.Sprintf("... (%d bytes)", len(text))
}

// didYouMean returns `; did you mean "x"?` for the nearest candidate, or "".
func didYouMean(word string, candidates []string) string {
	if near := instancetypes.Nearest(word, candidates); near != "" {
		return fmt.Sprintf(" (did you mean %q?)", near)
	}
	return ""
}

// quotedList prints words for a sentence: a, b or c.
func quotedList(words []string) string {
	switch n := len(words); n {
	case 0:
		return "nothing"
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " or " + words[n-1]
	}
}
