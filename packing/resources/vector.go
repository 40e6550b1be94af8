package resources

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// Errors that callers may branch on; FromList and PodRequests wrap them with
// the name of the resource.
var (
	// ErrNegative says that a quantity is below zero.
	ErrNegative = errors.New("quantity is negative")
	// ErrTooLarge says that a quantity does not fit into [Max] base units.
	ErrTooLarge = errors.New("quantity is too large")
)

// Max is the largest amount that a Vector converts, in base units (milli-CPU
// for CPU): 2^60, about 10^18. Sums saturate at math.MaxInt64.
const Max = int64(1) << 60

// Amount is so much of one resource: milli-CPU for cpu, bytes for memory and
// storage, a count for pods and extended resources.
type Amount struct {
	Name  corev1.ResourceName
	Value int64
}

// Vector is a resource vector: amounts sorted by resource name, each name once.
// The nil Vector is the empty one. A name that is missing counts as zero, but
// an explicit zero is kept. Vectors are values: no function of this package
// changes its arguments.
type Vector []Amount

// FromList converts a Kubernetes resource list, each amount rounded up to a whole
// base unit by itself. It returns an error that wraps
// [ErrNegative] or [ErrTooLarge] and names the resource if an amount is below
// zero or above [Max].
func FromList(list corev1.ResourceList) (Vector, error) {
	if len(list) == 0 {
		return nil, nil
	}
	v := make(Vector, 0, len(list))
	var errs []error
	for name, q := range list {
		value, err := amount(name, q)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s %q: %w", name, q.String(), err))
			continue
		}
		v = append(v, Amount{name, value})
	}
	if len(errs) > 0 {
		slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(errs...)
	}
	slices.SortFunc(v, func(a, b Amount) int { return strings.Compare(string(a.Name), string(b.Name)) })
	return v, nil
}

// MustFromList is FromList for literals known to be good, in tests and tables.
// It panics where FromList returns an error.
func MustFromList(list corev1.ResourceList) Vector {
	v, err := FromList(list)
	if err != nil {
		panic(err)
	}
	return v
}

func amount(name corev1.ResourceName, q resource.Quantity) (int64, error) {
	switch q.Sign() {
	case -1:
		return 0, ErrNegative
	case 0:
		return 0, nil // whatever the exponent of 0e1000000000
	}
	perUnit := 1.0
	if name == corev1.ResourceCPU {
		perUnit = 1000
	}
	// Exact conversions write out every digit of 1e1000000000 and wrap beyond int64: see
	// first what it is about.
	if q.AsApproximateFloat64()*perUnit > 2*float64(Max) {
		return 0, ErrTooLarge
	}
	value := q.Value()
	if name == corev1.ResourceCPU {
		value = q.MilliValue()
	}
	if value > Max {
		return 0, ErrTooLarge
	}
	return value, nil
}

// Get returns the amount of one resource, zero if it is not in the vector.
func (v Vector) Get(name corev1.ResourceName) int64 {
	value, _ := v.Lookup(name)
	return value
}

// Lookup returns the amount of one resource and whether the vector names it.
func (v Vector) Lookup(name corev1.ResourceName) (int64, bool) {
	for i := range v {
		if v[i].Name == name {
			return v[i].Value, true
		}
	}
	return 0, false
}

// With returns a copy of v in which the amount of one resource is value.
func (v Vector) With(name corev1.ResourceName, value int64) Vector {
	i, found := slices.BinarySearchFunc(v, name, func(a Amount, n corev1.ResourceName) int {
		return strings.Compare(string(a.Name), string(n))
	})
	if found {
		out := slices.Clone(v)
		out[i].Value = value
		return out
	}
	return slices.Insert(slices.Clone(v), i, Amount{name, value})
}

// merge walks both vectors in name order and combines the amounts.
func merge(a, b Vector, combine func(x, y int64) int64) Vector {
	out := make(Vector, 0, max(len(a), len(b)))
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		switch {
		case j == len(b) || i < len(a) && a[i].Name < b[j].Name:
			out = append(out, Amount{a[i].Name, combine(a[i].Value, 0)})
			i++
		case i == len(a) || b[j].Name < a[i].Name:
			out = append(out, Amount{b[j].Name, combine(0, b[j].Value)})
			j++
		default:
			out = append(out, Amount{a[i].Name, combine(a[i].Value, b[j].Value)})
			i, j = i+1, j+1
		}
	}
	return out
}

// Add returns v + w. Sums beyond the range of int64 saturate.
func (v Vector) Add(w Vector) Vector { return merge(v, w, addSaturated) }

// Sub returns v - w; amounts may be negative. Differences beyond the range of int64 saturate.
func (v Vector) Sub(w Vector) Vector { return merge(v, w, subSaturated) }

// Max returns the larger amount of each resource.
func (v Vector) Max(w Vector) Vector { return merge(v, w, func(x, y int64) int64 { return max(x, y) }) }

func addSaturated(x, y int64) int64 {
	sum := x + y
	if x > 0 && y > 0 && sum < 0 {
		return math.MaxInt64
	}
	if x < 0 && y < 0 && sum >= 0 {
		return math.MinInt64
	}
	return sum
}

func subSaturated(x, y int64) int64 {
	difference := x - y
	if x >= 0 && y < 0 && difference < 0 {
		return math.MaxInt64
	}
	if x < 0 && y > 0 && difference >= 0 {
		return math.MinInt64
	}
	return difference
}

// Fits reports whether requests v fit into what is available: every amount of
// v is at most that of available, where a missing amount is zero.
func (v Vector) Fits(available Vector) bool {
	_, over := v.FirstOver(available)
	return !over
}

// FirstOver returns the first resource, in name order, of which v asks for more
// than is available, and whether there is one. An amount of zero always fits.
func (v Vector) FirstOver(available Vector) (corev1.ResourceName, bool) {
	for i := range v {
		if v[i].Value > 0 && v[i].Value > available.Get(v[i].Name) {
			return v[i].Name, true
		}
	}
	return "", false
}

// Equal reports whether both vectors hold the same amounts, a missing one
// being zero.
func (v Vector) Equal(w Vector) bool {
	for _, a := range v {
		if a.Value != w.Get(a.Name) {
			return false
		}
	}
	for _, a := range w {
		if a.Value != v.Get(a.Name) {
			return false
		}
	}
	return true
}

// List converts back to Kubernetes quantities.
func (v Vector) List() corev1.ResourceList {
	list := make(corev1.ResourceList, len(v))
	for _, a := range v {
		list[a.Name] = a.Quantity()
	}
	return list
}

// Quantity returns the amount as a Kubernetes quantity: milli-CPU in decimal,
// memory and storage in binary units, counts in decimal.
func (a Amount) Quantity() resource.Quantity {
	switch {
	case a.Name == corev1.ResourceCPU:
		return *resource.NewMilliQuantity(a.Value, resource.DecimalSI)
	case a.Name == corev1.ResourceMemory, a.Name == corev1.ResourceEphemeralStorage,
		strings.HasPrefix(string(a.Name), corev1.ResourceHugePagesPrefix):
		return *resource.NewQuantity(a.Value, resource.BinarySI)
	default:
		return *resource.NewQuantity(a.Value, resource.DecimalSI)
	}
}

// String prints the vector as people write it: "cpu 500m, memory 1Gi".
func (v Vector) String() string {
	parts := make([]string, len(v))
	for i, a := range v {
		q := a.Quantity()
		parts[i] = string(a.Name) + " " + q.String()
	}
	if len(parts) == 0 {
		return strconv.Itoa(0)
	}
	return strings.Join(parts, ", ")
}
