package scenarios

import (
	"bytes"
	"strconv"
)

// origin says where an object is from.
type origin struct {
	file     string
	document int    // from 1
	item     string // "items[3]" for an item of a List, "" otherwise
	dir      string // what relative paths start from
}

// document is the text of one object or List, in YAML or JSON.
type document struct {
	origin
	data []byte
	line int  // lines of the file before data
	json bool // data is JSON and was found well-formed and bounded
	// defaults for items of a typed list, which need not name their own type
	apiVersion, kind string
	nesting          int // Lists around it
}

// splitDocuments cuts a source at its YAML document markers ("---" and "..."
// at the start of a line, which no YAML or JSON scalar can contain). Documents
// without content are left out but counted.
func splitDocuments(s source) []document {
	var out []document
	index, start, line, startLine := 1, 0, 0, 0
	flush := func(end int) {
		text := s.data[start:end]
		if len(out) <= maxObjects && hasContent(text) {
			out = append(out, document{
				origin: origin{file: s.name, document: index, dir: s.dir},
				data:   text, line: startLine,
			})
			index++
		}
	}
	for at := 0; at < len(s.data); {
		end := bytes.IndexByte(s.data[at:], '\n')
		next := at + end + 1
		if end < 0 {
			next = len(s.data)
		}
		if marker(s.data[at:next], "---") {
			flush(at)
			// What follows the marker on its line belongs to the document.
			start, startLine = at+3, line
		} else if marker(s.data[at:next], "...") {
			flush(at)
			start, startLine = next, line+1
		}
		at = next
		line++
	}
	flush(len(s.data))
	return out
}

// marker reports whether a line is a document marker: alone, or before a space.
func marker(line []byte, mark string) bool {
	if !bytes.HasPrefix(line, []byte(mark)) {
		return false
	}
	return len(line) == 3 || line[3] == '\n' || line[3] == ' ' || line[3] == '\t'
}

// hasContent reports whether any line holds more than a comment or a YAML directive.
func hasContent(text []byte) bool {
	for len(text) > 0 {
		line, rest, _ := bytes.Cut(text, []byte{'\n'})
		trimmed := bytes.TrimLeft(line, " \t\r")
		if len(trimmed) > 0 && trimmed[0] != '#' && line[0] != '%' {
			return true
		}
		text = rest
	}
	return false
}

// splitYAMLList cuts the items of a List written in YAML's block style out of a
// document, as kubectl prints it, without parsing it: a line "items:" at the
// left edge, then items that begin with "- " at one indentation. It returns the
// document with an empty list in their place, and the items. It returns ok
// false if the document does not look like that; a document that looks like it
// and is something else fails to parse and is then parsed as a whole.
//
// It serves speed (items are parsed side by side) and bounded memory (a parsed
// YAML tree is some fifty times its text).
func splitYAMLList(d document) (envelope document, items []document, ok bool) {
	begin, first, ok := findItems(d.data)
	if !ok {
		return document{}, nil, false
	}
	indent := bytes.IndexByte(d.data[first:], '-')
	end := len(d.data)
	line := d.line + bytes.Count(d.data[:first], []byte{'\n'})
	itemStart, itemLine := -1, 0
	flush := func(at int) {
		if itemStart < 0 || len(items) > maxObjects {
			return
		}
		text := bytes.Clone(d.data[itemStart:at])
		text[indent] = ' ' // the mapping that the dash introduced now stands alone
		o := d.origin
		o.item = joinField(d.item, itemName(len(items)))
		items = append(items, document{origin: o, data: text, line: itemLine, nesting: d.nesting + 1})
	}
	for at := first; at < len(d.data); {
		next := len(d.data)
		if i := bytes.IndexByte(d.data[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		text := d.data[at:next]
		spaces := len(text) - len(bytes.TrimLeft(text, " "))
		blank := len(bytes.TrimSpace(text)) == 0
		switch {
		case blank || text[spaces] == '#':
		case spaces == indent && text[spaces] == '-' && len(text) > spaces+1 && (text[spaces+1] == ' ' || text[spaces+1] == '\n'):
			flush(at)
			itemStart, itemLine = at, line
		case spaces <= indent:
			end = at
		}
		if end < len(d.data) {
			break
		}
		at = next
		line++
	}
	flush(end)
	if len(items) > maxObjects {
		return document{}, nil, false
	}
	envelope = d
	envelope.data = append(append(bytes.Clone(d.data[:begin]), "items: []\n"...), d.data[end:]...)
	return envelope, items, true
}

// findItems returns where the line "items:" begins and where the first item's
// line does.
func findItems(text []byte) (begin, first int, ok bool) {
	for at := 0; at < len(text); {
		next := len(text)
		if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
			next = at + i + 1
		}
		line := bytes.TrimRight(text[at:next], " \t\n")
		if bytes.Equal(line, []byte("items:")) {
			begin = at
			for at = next; at < len(text); {
				next = len(text)
				if i := bytes.IndexByte(text[at:], '\n'); i >= 0 {
					next = at + i + 1
				}
				line = bytes.TrimSpace(text[at:next])
				if len(line) > 0 && line[0] != '#' {
					dash := line[0] == '-' && (len(line) == 1 || line[1] == ' ')
					return begin, at, dash && bytes.IndexByte(text[at:next], '\t') < 0
				}
				at = next
			}
			return 0, 0, false
		}
		at = next
	}
	return 0, 0, false
}

func itemName(i int) string { return "items[" + strconv.Itoa(i) + "]" }
