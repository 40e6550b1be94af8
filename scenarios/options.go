package scenarios

import (
	"io"
	"os"
	"time"

	"github.com/binwright/binwright/instancetypes"
)

// Limits that hold unless an option says otherwise.
const (
	// DefaultMaxBytes is how much input is read in all, over all files: 256 MiB.
	// The output of kubectl for 100,000 pods with their status is about 400 MB as
	// YAML and half of that without managed fields: raise the limit for such.
	DefaultMaxBytes = 256 << 20
	// DefaultMaxPods is how many pods a scenario may hold, those made for
	// controllers included.
	DefaultMaxPods = 1_000_000
	// MaxObjectBytes is how large one object may be: 4 MiB. The API server does
	// not store larger ones than 1.5 MiB. A List is bounded item by item.
	MaxObjectBytes = 4 << 20
)

// Option changes how a scenario is loaded.
type Option interface{ apply(*settings) }

type optionFunc func(*settings)

func (f optionFunc) apply(s *settings) { f(s) }

// settings is what the options say.
type settings struct {
	maxBytes   int64
	maxPods    int
	stdin      io.Reader
	region     string
	catalog    *instancetypes.Catalog
	now        time.Time
	noDefaults bool
	noNodes    bool
	trace      traceSettings
}

func newSettings(opts []Option) settings {
	s := settings{maxBytes: DefaultMaxBytes, maxPods: DefaultMaxPods, stdin: os.Stdin}
	for _, o := range opts {
		o.apply(&s)
	}
	return s
}

// WithMaxBytes bounds the input over all files, in bytes. The default is [DefaultMaxBytes].
func WithMaxBytes(n int64) Option { return optionFunc(func(s *settings) { s.maxBytes = n }) }

// WithMaxPods bounds the pods of a scenario. The default is [DefaultMaxPods].
func WithMaxPods(n int) Option { return optionFunc(func(s *settings) { s.maxPods = n }) }

// WithStdin is what the path "-" reads instead of os.Stdin.
func WithStdin(r io.Reader) Option { return optionFunc(func(s *settings) { s.stdin = r }) }

// WithRegion moves the scenario to another region of its cloud: the catalog is
// that region's, and wherever the manifests name the old region or one of its
// zones, the new one is put in its place (first zone for first zone).
func WithRegion(region string) Option { return optionFunc(func(s *settings) { s.region = region }) }

// WithCatalog uses a catalog in place of the one that the scenario names.
func WithCatalog(c *instancetypes.Catalog) Option {
	return optionFunc(func(s *settings) { s.catalog = c })
}

// WithNow sets the moment of the snapshot, which ages (of pods, of nodes) are
// measured from. Without it ages do not matter.
func WithNow(now time.Time) Option { return optionFunc(func(s *settings) { s.now = now }) }

// WithoutDefaults leaves a scenario that names no node pool or no node group as
// it is. Otherwise general on-demand pools and groups stand in, with a warning.
func WithoutDefaults() Option { return optionFunc(func(s *settings) { s.noDefaults = true }) }

// WithoutNodes leaves the nodes of the input out and lets the pods bound to them
// wait: what would the whole workload cost on new nodes? Pods of DaemonSets and
// static pods, which come with their nodes, are left out too.
func WithoutNodes() Option { return optionFunc(func(s *settings) { s.noNodes = true }) }
