// Package commandline is what the command lines of the programs in examples have in common: flags that
// take names, and what is said about a name that nobody knows.
package commandline

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/clusterautoscaler"
)

// Names is a flag that may be given several times, each time with one name or
// several, separated by commas.
type Names []string

// String implements flag.Value.
func (n *Names) String() string { return strings.Join(*n, ",") }

// Set implements flag.Value.
func (n *Names) Set(value string) error {
	for name := range strings.SplitSeq(value, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	return nil
}

// Known returns an error unless the value of a flag is one of those known.
func Known(flag, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	hint := ""
	if near := instancetypes.Nearest(value, known); near != "" {
		hint = fmt.Sprintf(", did you mean %q?", near)
	}
	return fmt.Errorf("-%s %q is unknown%s (there are %s)", flag, value, hint, strings.Join(known, ", "))
}

// expanders are the names that -expander takes.
var expanders = []string{
	string(clusterautoscaler.LeastWaste), string(clusterautoscaler.MostPods), string(clusterautoscaler.LeastNodes),
	string(clusterautoscaler.Price), string(clusterautoscaler.Priority), string(clusterautoscaler.Random),
}

// Expanders returns the option that a chain of -expander stands for, nil for none. The error tells of every
// name that is unknown, or why the chain makes no sense.
func Expanders(chain Names) (clusterautoscaler.Option, error) {
	if len(chain) == 0 {
		return nil, nil
	}
	var errs []error
	links := make([]clusterautoscaler.Expander, len(chain))
	for i, name := range chain {
		links[i] = clusterautoscaler.Expander(name)
		errs = append(errs, Known("expander", name, expanders))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	option := clusterautoscaler.WithExpander(links...)
	if _, err := clusterautoscaler.New(nil, option); errors.Is(err, clusterautoscaler.ErrOption) {
		return nil, fmt.Errorf("-expander: %w", err)
	}
	return option, nil
}
