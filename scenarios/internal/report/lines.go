package report

import (
	"bufio"
	"strings"
	"unicode/utf8"
)

// Width is the number of columns that tables keep within.
const Width = 120

// Aligned writes rows of cells, the first column to the left, the others to the right.
func Aligned(out *bufio.Writer, indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		line := indent
		for i, cell := range row {
			gap := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line += cell + gap
			} else {
				line += "  " + gap + cell
			}
		}
		out.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// Wrapped writes text in lines of at most Width columns, further lines
// indented by two more. A single word that is longer is broken.
func Wrapped(out *bufio.Writer, indent, text string) {
	line, empty := indent, true
	flush := func() {
		out.WriteString(strings.TrimRight(line, " ") + "\n")
		line, empty = indent+"  ", true
	}
	for _, word := range strings.Fields(text) {
		for {
			gap := 1
			if empty {
				gap = 0
			}
			room := Width - utf8.RuneCountInString(line) - gap
			length := utf8.RuneCountInString(word)
			if length <= room {
				line += strings.Repeat(" ", gap) + word
				empty = false
				break
			}
			if empty {
				runes := []rune(word)
				line += string(runes[:room])
				word = string(runes[room:])
			}
			flush()
		}
	}
	if !empty {
		flush()
	}
}
