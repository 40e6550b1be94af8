package compiled

import (
	"math"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/resources"
)

// Positions of the resources that every vector has.
const (
	CPU    = iota // milli-CPU
	Memory        // bytes
	Pods          // a count
)

// Dimensions gives each resource name a column of dense vectors.
type Dimensions struct {
	names  []corev1.ResourceName
	column map[corev1.ResourceName]int
}

// NewDimensions returns cpu, memory and pods.
func NewDimensions() *Dimensions {
	d := &Dimensions{column: map[corev1.ResourceName]int{}}
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory, corev1.ResourcePods} {
		d.Column(name)
	}
	return d
}

// Clone returns a copy that can grow by itself.
func (d *Dimensions) Clone() *Dimensions {
	c := &Dimensions{names: append([]corev1.ResourceName(nil), d.names...), column: make(map[corev1.ResourceName]int, len(d.column))}
	for name, i := range d.column {
		c.column[name] = i
	}
	return c
}

// Len returns the number of columns.
func (d *Dimensions) Len() int { return len(d.names) }

// Name returns the resource of a column.
func (d *Dimensions) Name(column int) corev1.ResourceName { return d.names[column] }

// Column returns the column of a resource, a new one if need be.
func (d *Dimensions) Column(name corev1.ResourceName) int {
	i, ok := d.column[name]
	if !ok {
		i = len(d.names)
		d.names = append(d.names, name)
		d.column[name] = i
	}
	return i
}

// AddAll makes columns for all resources of a vector.
func (d *Dimensions) AddAll(v resources.Vector) {
	for _, a := range v {
		d.Column(a.Name)
	}
}

// Dense writes a vector into columns; dst has room for all of them.
func (d *Dimensions) Dense(dst []int64, v resources.Vector) {
	clear(dst)
	for _, a := range v {
		dst[d.column[a.Name]] = a.Value
	}
}

// Sparse is the reverse of Dense, without zero amounts.
func (d *Dimensions) Sparse(v []int64) resources.Vector {
	var out resources.Vector
	for i, value := range v {
		if value != 0 {
			out = out.With(d.names[i], value)
		}
	}
	return out
}

// Saturated adds and keeps to the range of int64.
func Saturated(a, b int64) int64 {
	if sum := a + b; (sum > a) == (b > 0) {
		return sum
	}
	if b > 0 {
		return math.MaxInt64
	}
	return math.MinInt64
}
