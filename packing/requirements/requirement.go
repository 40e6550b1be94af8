package requirements

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// Operators of a requirement. The first six are Kubernetes' own; Gte and Lte are
// Karpenter's (pkg/apis/v1/labels.go). The bounds of Gt and Lt are exclusive.
const (
	In           = corev1.NodeSelectorOpIn
	NotIn        = corev1.NodeSelectorOpNotIn
	Exists       = corev1.NodeSelectorOpExists
	DoesNotExist = corev1.NodeSelectorOpDoesNotExist
	Gt           = corev1.NodeSelectorOpGt
	Lt           = corev1.NodeSelectorOpLt
	Gte          = corev1.NodeSelectorOperator("Gte")
	Lte          = corev1.NodeSelectorOperator("Lte")
)

// Errors that New returns, wrapped with the key and the operator.
var (
	// ErrOperator says that the operator is none of the eight.
	ErrOperator = errors.New("unknown operator")
	// ErrValues says that the number or the form of the values does not suit the operator.
	ErrValues = errors.New("values do not suit the operator")
)

// Requirement is the set of values that a node's label may take. The zero value
// with a key is DoesNotExist. Requirements are immutable and may be shared.
type Requirement struct {
	key        string
	complement bool     // values are those excluded
	values     []string // sorted, distinct
	gte, lte   int64    // inclusive, in force only if complement
	bounded    bounds
	minValues  int // 0: none
}

type bounds uint8

const (
	hasGte bounds = 1 << iota
	hasLte
)

// New returns the requirement that an operator and its values state. In and
// NotIn take any number of values, Exists and DoesNotExist none, the others one
// integer. Aliased keys (beta.kubernetes.io/arch and the like) are replaced by
// the ones they stand for, see [NormalizeKey]. Errors wrap [ErrOperator] or
// [ErrValues].
func New(key string, op corev1.NodeSelectorOperator, values ...string) (Requirement, error) {
	r := Requirement{key: NormalizeKey(key)}
	switch op {
	case In, NotIn:
		r.complement = op == NotIn
		r.values = slices.Clone(values)
		slices.Sort(r.values)
		r.values = slices.Compact(r.values)
	case Exists, DoesNotExist:
		r.complement = op == Exists
		if len(values) != 0 {
			return Requirement{}, fmt.Errorf("%s %s: %w: it takes none, got %q", key, op, ErrValues, values)
		}
	case Gt, Lt, Gte, Lte:
		if len(values) != 1 {
			return Requirement{}, fmt.Errorf("%s %s: %w: it takes one integer, got %q", key, op, ErrValues, values)
		}
		n, err := strconv.ParseInt(values[0], 10, 64)
		if err != nil {
			return Requirement{}, fmt.Errorf("%s %s: %w: it takes one integer, got %q", key, op, ErrValues, values[0])
		}
		return bound(r.key, op, n), nil
	default:
		return Requirement{}, fmt.Errorf("%s %q: %w", key, op, ErrOperator)
	}
	return r, nil
}

// bound makes the inclusive form of a comparison. What no integer satisfies is
// DoesNotExist.
func bound(key string, op corev1.NodeSelectorOperator, n int64) Requirement {
	r := Requirement{key: key, complement: true}
	switch op {
	case Gt:
		if n == math.MaxInt64 {
			return Requirement{key: key}
		}
		r.gte, r.bounded = n+1, hasGte
	case Gte:
		r.gte, r.bounded = n, hasGte
	case Lt:
		if n == math.MinInt64 {
			return Requirement{key: key}
		}
		r.lte, r.bounded = n-1, hasLte
	case Lte:
		r.lte, r.bounded = n, hasLte
	}
	return r
}

// Must is New for literals known to be good. It panics where New returns an error.
func Must(key string, op corev1.NodeSelectorOperator, values ...string) Requirement {
	r, err := New(key, op, values...)
	if err != nil {
		panic(err)
	}
	return r
}

// Key returns the label key, with aliases resolved.
func (r Requirement) Key() string { return r.key }

// Values returns, sorted, the allowed values of a finite requirement, or the
// excluded ones if [Requirement.Complement] is true. It must not be changed.
func (r Requirement) Values() []string { return r.values }

// Complement reports whether all values are allowed but those listed.
func (r Requirement) Complement() bool { return r.complement }

// Gte returns the inclusive lower bound and whether there is one.
func (r Requirement) Gte() (int64, bool) { return r.gte, r.bounded&hasGte != 0 }

// Lte returns the inclusive upper bound and whether there is one.
func (r Requirement) Lte() (int64, bool) { return r.lte, r.bounded&hasLte != 0 }

// MinValues returns how many distinct values the instance types of a node claim
// must offer for the key, 0 if the requirement does not say.
func (r Requirement) MinValues() int { return r.minValues }

// WithMinValues returns a copy that asks for at least n distinct values; 0 asks for none.
func (r Requirement) WithMinValues(n int) Requirement {
	r.minValues = n
	return r
}

// Operator returns the operator that states the set: In or DoesNotExist for a
// finite set, NotIn or Exists for a complement. Bounds count as Exists.
func (r Requirement) Operator() corev1.NodeSelectorOperator {
	switch {
	case r.complement && len(r.values) > 0:
		return NotIn
	case r.complement:
		return Exists
	case len(r.values) > 0:
		return In
	default:
		return DoesNotExist
	}
}

// Len returns how many values are allowed, math.MaxInt64 less the excluded ones for a complement.
func (r Requirement) Len() int {
	if r.complement {
		return math.MaxInt64 - len(r.values)
	}
	return len(r.values)
}

// Has reports whether a value is allowed. Under a bound only integers are.
func (r Requirement) Has(value string) bool {
	_, listed := slices.BinarySearch(r.values, value)
	return listed != r.complement && r.within(value)
}

func (r Requirement) within(value string) bool {
	if r.bounded == 0 {
		return true
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return false
	}
	return (r.bounded&hasGte == 0 || n >= r.gte) && (r.bounded&hasLte == 0 || n <= r.lte)
}

// tighten returns the bounds of both.
func (r Requirement) tighten(o Requirement) Requirement {
	if o.bounded&hasGte != 0 && (r.bounded&hasGte == 0 || o.gte > r.gte) {
		r.gte, r.bounded = o.gte, r.bounded|hasGte
	}
	if o.bounded&hasLte != 0 && (r.bounded&hasLte == 0 || o.lte < r.lte) {
		r.lte, r.bounded = o.lte, r.bounded|hasLte
	}
	return r
}

func (r Requirement) crossed() bool { return r.bounded == hasGte|hasLte && r.gte > r.lte }

// Intersect returns the values that both allow. The keys must be equal; the
// larger minValues holds. Crossed bounds allow nothing.
func (r Requirement) Intersect(o Requirement) Requirement {
	out := Requirement{key: r.key, minValues: max(r.minValues, o.minValues)}
	b := r.tighten(o)
	if b.crossed() {
		return out
	}
	out.complement = r.complement && o.complement
	switch {
	case out.complement:
		out.values = union(r.values, o.values)
		out.gte, out.lte, out.bounded = b.gte, b.lte, b.bounded
	case !r.complement && !o.complement && b.bounded == 0 && slices.Equal(r.values, o.values):
		out.values = r.values
	case r.complement:
		out.values = filter(o.values, func(v string) bool { return r.Has(v) })
	default:
		out.values = filter(r.values, func(v string) bool { return o.Has(v) })
	}
	if out.complement && b.bounded != 0 {
		out.values = filter(out.values, b.within)
	}
	return out
}

// Intersects reports whether Intersect would allow any value, without building it.
func (r Requirement) Intersects(o Requirement) bool {
	if r.complement && o.complement {
		return !r.tighten(o).crossed()
	}
	if r.complement {
		r, o = o, r
	}
	return slices.ContainsFunc(r.values, o.Has)
}

// Equal reports whether both state the same, minValues included.
func (r Requirement) Equal(o Requirement) bool {
	return r.key == o.key && r.complement == o.complement && r.bounded == o.bounded &&
		(r.bounded&hasGte == 0 || r.gte == o.gte) && (r.bounded&hasLte == 0 || r.lte == o.lte) &&
		r.minValues == o.minValues && slices.Equal(r.values, o.values)
}

// Any returns one allowed value: the lexicographically smallest of a finite set;
// of a complement the allowed integer nearest to zero from above, or where there is none
// from below. It is "" if no such value is allowed.
//
// Upstream draws at random here, from the integers of a complement that are not negative unless the
// bounds are; Binwright takes a value that it could have drawn.
func (r Requirement) Any() string {
	if !r.complement {
		if len(r.values) == 0 {
			return ""
		}
		return r.values[0]
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	if r.bounded&hasGte != 0 {
		low = r.gte
	}
	if r.bounded&hasLte != 0 {
		high = r.lte
	}
	// No more values can be excluded than are listed, so that both searches are short.
	for n := max(low, 0); n <= high; n++ {
		if v := strconv.FormatInt(n, 10); r.Has(v) {
			return v
		}
		if n == math.MaxInt64 {
			break
		}
	}
	for n := min(high, -1); n >= low; n-- {
		if v := strconv.FormatInt(n, 10); r.Has(v) {
			return v
		}
		if n == math.MinInt64 {
			break
		}
	}
	return ""
}

// String prints the requirement as Karpenter's logs do: "key In [a b]".
func (r Requirement) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", r.key, r.Operator())
	if len(r.values) > 0 {
		const most = 5
		shown, more := r.values, ""
		if len(shown) > most {
			shown, more = shown[:most], fmt.Sprintf(" and %d others", len(r.values)-most)
		}
		fmt.Fprintf(&b, " [%s%s]", strings.Join(shown, " "), more)
	}
	if n, ok := r.Gte(); ok {
		fmt.Fprintf(&b, " >=%d", n)
	}
	if n, ok := r.Lte(); ok {
		fmt.Fprintf(&b, " <=%d", n)
	}
	if r.minValues > 0 {
		fmt.Fprintf(&b, " minValues %d", r.minValues)
	}
	return b.String()
}

func union(a, b []string) []string {
	if len(a) == 0 {
		return b
	}
	if len(b) == 0 {
		return a
	}
	out := slices.Concat(a, b)
	slices.Sort(out)
	return slices.Compact(out)
}

func filter(values []string, keep func(string) bool) []string {
	var out []string
	for _, v := range values {
		if keep(v) {
			out = append(out, v)
		}
	}
	return out
}
