package scenarios

import (
	"bytes"
	"fmt"
)

// maxDepth is how deep objects and lists may nest. The deepest Kubernetes
// object (a CronJob's pod affinity) has about 20 levels.
const maxDepth = 128

// jsonShape is what one pass over a JSON text tells without decoding it.
type jsonShape struct {
	end int // where the first value ends
	// items are the elements of the list "items" of the outermost object, begin
	// and end where the list stands in it.
	items      [][]byte
	itemsBegin int
	itemsEnd   int
	// absurd says that some scalar is a number of excessive length or exponent,
	// which must not reach a Quantity: comparing 1e2000000000 takes for ever.
	absurd bool
	object bool // the value is an object
	// head is type and name of the object; whole is false if one of them is no
	// plain text, which the decoder then has to look at.
	head  head
	whole bool
}

// headField returns where the shape keeps a field of the head, nil for others.
// The outer key is "" for fields of the object itself.
func (s *jsonShape) headField(outer, key []byte) *string {
	switch string(outer) {
	case "":
		switch string(key) {
		case "apiVersion":
			return &s.head.APIVersion
		case "kind":
			return &s.head.Kind
		}
	case "metadata":
		switch string(key) {
		case "name":
			return &s.head.Metadata.Name
		case "namespace":
			return &s.head.Metadata.Namespace
		case "generateName":
			return &s.head.Metadata.GenerateName
		}
	}
	return nil
}

// jsonError is a mistake at an offset of a JSON text.
type jsonError struct {
	offset  int
	message string
}

func (e *jsonError) Error() string { return e.message }

// scanJSON finds the end of the first JSON value of a text, the head of an
// object and the items of a List. It checks brackets, strings and depth; what
// else is wrong with the scalars is left to the decoder. It uses no more stack
// for deep nesting.
func scanJSON(text []byte) (jsonShape, error) {
	s := jsonScanner{text: text, open: make([]byte, 0, 16), item: -1}
	s.shape.whole = true
	s.at = skipSpace(text, 0)
	if s.at == len(text) {
		return s.shape, &jsonError{s.at, "unexpected end of JSON"}
	}
	s.shape.object = text[s.at] == '{'
	for {
		s.at = skipSpace(text, s.at)
		if s.at == len(text) {
			return s.shape, &jsonError{s.at, fmt.Sprintf("unexpected end of JSON, %q is missing", s.open[len(s.open)-1])}
		}
		if err := s.token(); err != nil {
			return s.shape, err
		}
		if len(s.open) == 0 {
			s.shape.end = s.at
			return s.shape, nil
		}
	}
}

// jsonScanner walks the tokens of a JSON text.
type jsonScanner struct {
	text  []byte
	at    int
	shape jsonShape
	open  []byte // closing brackets awaited
	// wantKey says that a string would be a key, inItems that the scanner is in the
	// list "items" of the outermost object, of which an element began at item.
	wantKey, inItems bool
	item             int
	// key and inner are the last keys of the outermost object and of an object in it.
	key, inner []byte
}

// token passes over one token and notes what it means.
func (s *jsonScanner) token() error {
	c := s.text[s.at]
	if s.inItems && len(s.open) == 2 && s.item < 0 && c != ']' && c != ',' {
		s.item = s.at
	}
	switch c {
	case '{', '[':
		return s.bracket(c)
	case '}', ']':
		return s.closing(c)
	case ',':
		s.wantKey = len(s.open) > 0 && s.open[len(s.open)-1] == '}'
		if err := s.endItem(true); err != nil {
			return err
		}
		s.at++
	case ':':
		s.wantKey = false
		s.at++
	case '"':
		return s.string()
	default:
		end := s.at
		for end < len(s.text) && bytes.IndexByte(jsonDelimiters, s.text[end]) < 0 {
			end++
		}
		s.shape.absurd = s.shape.absurd || absurdNumber(s.text[s.at:end])
		s.notText()
		s.at = end
	}
	return nil
}

// bracket passes over an opening bracket.
func (s *jsonScanner) bracket(c byte) error {
	if len(s.open) == maxDepth {
		return &jsonError{s.at, fmt.Sprintf("nested deeper than %d levels", maxDepth)}
	}
	if c == '[' && len(s.open) == 1 && s.shape.object && string(s.key) == "items" && s.shape.itemsEnd == 0 {
		s.inItems, s.shape.itemsBegin = true, s.at
	}
	if c == '[' || len(s.open) != 1 || string(s.key) != "metadata" {
		s.notText()
	}
	s.open = append(s.open, c+2) // '{'+2 is '}', '['+2 is ']'
	s.wantKey = c == '{'
	s.at++
	return nil
}

// closing passes over a closing bracket.
func (s *jsonScanner) closing(c byte) error {
	if len(s.open) == 0 || s.open[len(s.open)-1] != c {
		return &jsonError{s.at, fmt.Sprintf("unexpected %q", c)}
	}
	if s.inItems && len(s.open) == 2 {
		if err := s.endItem(false); err != nil {
			return err
		}
		s.inItems, s.shape.itemsEnd = false, s.at+1
	}
	s.open = s.open[:len(s.open)-1]
	s.wantKey = false
	s.at++
	return nil
}

// endItem ends an element of the list "items", if that is where the scanner is.
// Before a comma there must be one.
func (s *jsonScanner) endItem(comma bool) error {
	switch {
	case !s.inItems || len(s.open) != 2:
		return nil
	case s.item < 0 && comma:
		return &jsonError{s.at, "unexpected ','"}
	case s.item < 0:
		return nil
	case len(s.shape.items) == maxObjects:
		return &jsonError{s.at, fmt.Sprintf("more than %d items", maxObjects)}
	}
	s.shape.items = append(s.shape.items, bytes.TrimSpace(s.text[s.item:s.at]))
	s.item = -1
	return nil
}

// string passes over a key or a text.
func (s *jsonScanner) string() error {
	end := stringEnd(s.text, s.at)
	if end < 0 {
		return &jsonError{s.at, "a string without end"}
	}
	content := s.text[s.at+1 : end-1]
	switch {
	case s.wantKey && len(s.open) == 1:
		s.key, s.inner = content, nil
	case s.wantKey && len(s.open) == 2:
		s.inner = content
	case !s.wantKey:
		s.shape.absurd = s.shape.absurd || absurdNumber(content)
		if len(s.open) == 1 && string(s.key) == "metadata" {
			s.shape.whole = false
		}
		if f := s.field(); f != nil {
			*f = string(content)
			s.shape.whole = s.shape.whole && bytes.IndexByte(content, '\\') < 0
		}
	}
	s.at = end
	return nil
}

// field returns where the value at hand belongs in the head, nil if nowhere.
func (s *jsonScanner) field() *string {
	switch {
	case !s.shape.object || s.wantKey:
		return nil
	case len(s.open) == 1:
		return s.shape.headField(nil, s.key)
	case len(s.open) == 2:
		return s.shape.headField(s.key, s.inner)
	}
	return nil
}

// notText leaves the head to the decoder if the value at hand, which is no text,
// belongs to it.
func (s *jsonScanner) notText() {
	if s.field() != nil || len(s.open) == 1 && string(s.key) == "metadata" {
		s.shape.whole = false
	}
}

// jsonDelimiters end a number or a word.
var jsonDelimiters = []byte(" \t\r\n,:]}[{\"")

func skipSpace(text []byte, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\n' || text[at] == '\t' || text[at] == '\r') {
		at++
	}
	return at
}

// stringEnd returns the index after the closing quote of a string that begins
// at a quote, -1 if there is none.
func stringEnd(text []byte, at int) int {
	for i := at + 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
}

// absurdNumber reports whether a scalar is a number longer than any quantity
// that means something, or with an exponent of more than three digits.
func absurdNumber(token []byte) bool {
	if len(token) == 0 || !numeric(token[0]) {
		return false
	}
	i := 0
	for i < len(token) && numeric(token[i]) {
		i++
	}
	if i > 64 {
		return true
	}
	if i == len(token) || token[i] != 'e' && token[i] != 'E' {
		return false
	}
	exponent := bytes.TrimLeft(token[i+1:], "+-")
	for _, c := range exponent {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(exponent) > 3
}

func numeric(c byte) bool { return c >= '0' && c <= '9' || c == '.' || c == '+' || c == '-' }

// place returns line and column of an offset, from 1.
func place(text []byte, offset int) (line, column int) {
	before := text[:min(offset, len(text))]
	return 1 + bytes.Count(before, []byte{'\n'}), len(before) - bytes.LastIndexByte(before, '\n')
}
