package commandline_test

import (
	"flag"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/examples/internal/commandline"
)

func TestNames(t *testing.T) {
	var names commandline.Names
	flags := flag.NewFlagSet("test", flag.ContinueOnError)
	flags.Var(&names, "name", "")
	require.NoError(t, flags.Parse([]string{"-name", "a, b,,", "-name", "c"}))
	require.Equal(t, commandline.Names{"a", "b", "c"}, names)
	require.Equal(t, "a,b,c", names.String())
}

func TestKnown(t *testing.T) {
	require.NoError(t, commandline.Known("format", "json", []string{"table", "json"}))
	require.EqualError(t, commandline.Known("format", "jsn", []string{"table", "json"}), `-format "jsn" is unknown, did you mean "json"? (there are table, json)`)
}

func TestExpanders(t *testing.T) {
	option, err := commandline.Expanders(nil)
	require.NoError(t, err)
	require.Nil(t, option)
	option, err = commandline.Expanders(commandline.Names{"priority", "least-waste"})
	require.NoError(t, err)
	require.NotNil(t, option)
	_, err = commandline.Expanders(commandline.Names{"least-wast", "cheapest"})
	require.ErrorContains(t, err, `did you mean "least-waste"?`)
	require.ErrorContains(t, err, `"cheapest"`)
	_, err = commandline.Expanders(commandline.Names{"random", "random"})
	require.ErrorContains(t, err, "-expander: ")
	require.Equal(t, 1, strings.Count(err.Error(), "random"), err)
}
