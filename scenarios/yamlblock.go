package scenarios

import "bytes"

// Almost all YAML that comes in is what kubectl prints: block style, plain
// scalars, few quotes. blockYAML converts that subset straight to JSON, ten times
// faster than a full parser and without a tree. Whatever it is not sure of it
// leaves to the full parser: anchors, tags, flow style, folded and multi-line
// scalars, escapes, comments after values, numbers but plain integers, anything
// that is not ASCII. A fuzz target holds the two to the same result.

// blockParser walks the lines of a document.
type blockParser struct {
	text []byte
	at   int // start of the line after the current one
	// The current line: its indentation, and its content without surrounding
	// blanks. A line of zero content length is the end.
	indent  int
	content []byte
	out     []byte
}

// blockYAML returns the JSON of a block mapping, or false if the text is not
// surely in the subset.
func blockYAML(text []byte) ([]byte, bool) {
	for _, b := range text {
		if b >= 0x7f || b < ' ' && b != '\n' {
			return nil, false
		}
	}
	p := blockParser{text: text, out: make([]byte, 0, len(text)+len(text)/4)}
	p.next()
	if len(p.content) == 0 || dashed(p.content) || !p.mapping(0) || len(p.content) > 0 {
		return nil, false
	}
	return p.out, true
}

// next moves to the next line that is neither blank nor a comment.
func (p *blockParser) next() {
	for p.at < len(p.text) {
		end := bytes.IndexByte(p.text[p.at:], '\n')
		if end < 0 {
			end = len(p.text) - p.at
		}
		line := p.text[p.at : p.at+end]
		p.at = min(p.at+end+1, len(p.text))
		content := bytes.TrimLeft(line, " ")
		if len(content) > 0 && content[0] != '#' {
			p.indent = len(line) - len(content)
			p.content = bytes.TrimRight(content, " ")
			return
		}
	}
	p.indent, p.content = -1, nil
}

// dashed reports whether a line begins an item of a sequence.
func dashed(content []byte) bool {
	return content[0] == '-' && (len(content) == 1 || content[1] == ' ')
}

// maxBlockKeys bounds the mappings that are read here: keys are compared one by one.
const maxBlockKeys = 128

// mapping reads the mapping that begins at the current line.
func (p *blockParser) mapping(depth int) bool {
	if depth > maxDepth {
		return false
	}
	indent := p.indent
	var few [16][]byte
	keys := few[:0]
	p.out = append(p.out, '{')
	for len(p.content) > 0 && p.indent == indent && !dashed(p.content) {
		key, value, ok := splitKey(p.content)
		if !ok || len(keys) == maxBlockKeys {
			return false
		}
		for _, k := range keys {
			if bytes.Equal(k, key) {
				return false // the full parser words the error
			}
		}
		if len(keys) > 0 {
			p.out = append(p.out, ',')
		}
		keys = append(keys, key)
		p.out = append(append(append(p.out, '"'), key...), '"', ':')
		if !p.mappingValue(value, indent, depth) {
			return false
		}
	}
	p.out = append(p.out, '}')
	return len(p.content) == 0 || p.indent < indent || p.indent == indent && dashed(p.content)
}

// mappingValue reads what stands after a key, on its line or below.
func (p *blockParser) mappingValue(value []byte, indent, depth int) bool {
	switch {
	case len(value) > 0 && value[0] == '|':
		return p.literal(value, indent)
	case len(value) > 0:
		p.next()
		// A deeper line would continue the scalar.
		return (len(p.content) == 0 || p.indent <= indent) && p.scalar(value)
	}
	p.next()
	switch {
	case len(p.content) > 0 && p.indent >= indent && dashed(p.content):
		return p.sequence(depth + 1)
	case len(p.content) > 0 && p.indent > indent:
		return p.mapping(depth + 1)
	default:
		p.out = append(p.out, "null"...)
		return true
	}
}

// sequence reads the sequence that begins at the current line.
func (p *blockParser) sequence(depth int) bool {
	if depth > maxDepth {
		return false
	}
	indent := p.indent
	p.out = append(p.out, '[')
	for first := true; len(p.content) > 0 && p.indent == indent && dashed(p.content); first = false {
		if !first {
			p.out = append(p.out, ',')
		}
		rest := bytes.TrimLeft(p.content[1:], " ")
		if len(rest) == 0 || dashed(rest) {
			return false
		}
		if _, _, ok := splitKey(rest); ok {
			// The mapping's first key stands behind the dash.
			p.indent += len(p.content) - len(rest)
			p.content = rest
			if !p.mapping(depth + 1) {
				return false
			}
			continue
		}
		p.next()
		if len(p.content) > 0 && p.indent > indent || !p.scalar(rest) {
			return false
		}
	}
	p.out = append(p.out, ']')
	return len(p.content) == 0 || p.indent <= indent
}

// splitKey splits "key: value". Keys are words that YAML takes for text.
func splitKey(content []byte) (key, value []byte, ok bool) {
	i := 0
	for i < len(content) && keyByte(content[i]) {
		i++
	}
	if i == 0 || i > 256 || i == len(content) || content[i] != ':' || i+1 < len(content) && content[i+1] != ' ' || !surelyText(content[:i]) {
		return nil, nil, false
	}
	return content[:i], bytes.TrimLeft(content[i+1:], " "), true
}

func keyByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '/' || c == '_' || c == '-'
}

// scalar writes a value that stands on one line.
func (p *blockParser) scalar(s []byte) bool {
	switch s[0] {
	case '"', '\'':
		inner := s[1:]
		if len(inner) == 0 || inner[len(inner)-1] != s[0] {
			return false
		}
		inner = inner[:len(inner)-1]
		if bytes.IndexByte(inner, s[0]) >= 0 || s[0] == '"' && bytes.IndexByte(inner, '\\') >= 0 {
			return false
		}
		p.quote(inner)
		return true
	case '{', '[':
		if string(s) == "{}" || string(s) == "[]" {
			p.out = append(p.out, s...)
			return true
		}
		return false
	}
	if bytes.Contains(s, []byte(": ")) || bytes.Contains(s, []byte(" #")) || s[len(s)-1] == ':' {
		return false
	}
	if word, ok := blockWords[string(s)]; ok {
		p.out = append(p.out, word...)
		return true
	}
	if plainInteger(s) {
		p.out = append(p.out, s...)
		return true
	}
	if !surelyText(s) {
		return false
	}
	p.quote(s)
	return true
}

func (p *blockParser) quote(s []byte) {
	p.out = append(p.out, '"')
	for _, b := range s {
		if b == '"' || b == '\\' {
			p.out = append(p.out, '\\')
		}
		p.out = append(p.out, b)
	}
	p.out = append(p.out, '"')
}

// blockWords are the words with a meaning that kubectl prints.
var blockWords = map[string]string{"true": "true", "false": "false", "null": "null"}

// plainInteger reports whether a scalar is an integer in decimal that every
// parser reads alike.
func plainInteger(s []byte) bool {
	if s[0] == '-' {
		s = s[1:]
		if len(s) == 0 || s[0] == '0' {
			return false
		}
	}
	if len(s) == 0 || len(s) > 15 || s[0] == '0' && len(s) > 1 {
		return false
	}
	for _, b := range s {
		if b < '0' || b > '9' {
			return false
		}
	}
	return true
}

// surelyText reports whether YAML takes a plain scalar for text.
func surelyText(s []byte) bool {
	c := s[0]
	switch {
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
		// Only short words such as yes, off and Null mean something else.
		if len(s) > 5 {
			return true
		}
		switch string(bytes.ToLower(s)) {
		case "y", "yes", "n", "no", "on", "off", "true", "false", "null":
			return false
		}
		return true
	case c == '/' || c == '_':
		return true
	case c < '0' || c > '9':
		return false
	}
	// It begins with a digit: text if a letter in it belongs to no number, or if
	// it has more dots or dashes than one can have.
	if c == '0' && len(s) > 1 && s[1] != '.' && s[1] != '-' && (s[1] < '0' || s[1] > '9') {
		return false // 0x, 0b, 0o
	}
	dots, dashes, letters := 0, 0, false
	for _, b := range s {
		switch {
		case b == '.':
			dots++
		case b == '-':
			dashes++
		case b == '_':
			return false
		case b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z':
			letters = letters || b != 'e' && b != 'E'
		}
	}
	return letters || dots > 1 || dashes > 1
}

// literal reads a block scalar, "|" or "|-", that belongs to a key at an indentation.
func (p *blockParser) literal(header []byte, indent int) bool {
	keepEnd := string(header) == "|"
	if !keepEnd && string(header) != "|-" {
		return false
	}
	depth := -1
	var lines [][]byte
	for p.at < len(p.text) {
		end := bytes.IndexByte(p.text[p.at:], '\n')
		if end < 0 {
			end = len(p.text) - p.at
		}
		line := p.text[p.at : p.at+end]
		content := bytes.TrimLeft(line, " ")
		spaces := len(line) - len(content)
		if len(content) > 0 && spaces <= indent {
			break
		}
		switch {
		case depth < 0 && (len(content) == 0 || p.at+end == len(p.text)):
			return false
		case depth < 0:
			depth = spaces
		case len(content) > 0 && spaces < depth:
			return false
		}
		lines = append(lines, line[min(depth, len(line)):])
		p.at = min(p.at+end+1, len(p.text))
	}
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	if len(lines) == 0 || len(bytes.TrimLeft(lines[len(lines)-1], " ")) == 0 || p.text[len(p.text)-1] != '\n' {
		return false
	}
	p.out = append(p.out, '"')
	for i, line := range lines {
		if i > 0 {
			p.out = append(p.out, '\\', 'n')
		}
		for _, b := range line {
			if b == '"' || b == '\\' {
				p.out = append(p.out, '\\')
			}
			p.out = append(p.out, b)
		}
	}
	if keepEnd {
		p.out = append(p.out, '\\', 'n')
	}
	p.out = append(p.out, '"')
	p.next()
	return true
}
