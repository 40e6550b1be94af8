package scenarios

import "strings"

// joinField joins two JSON paths.
func joinField(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "" || b[0] == '[':
		return a + b
	default:
		return a + "." + b
	}
}

// keyField is a key as an element of a JSON path: itself, or [key] where it
// holds dots or slashes, as labels do.
func keyField(key string) string {
	if key == "" || strings.ContainsAny(key, "./[] ") {
		return "[" + shorten(key) + "]"
	}
	return shorten(key)
}
