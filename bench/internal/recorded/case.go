// Package recorded reads and writes recorded decisions of the real Karpenter:
// files that hold a case and, if it was run, what sigs.k8s.io/karpenter decided
// on it. It converts cases to Binwright's types and plans to outcomes that can
// be compared with recorded ones.
package recorded

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/binwright/binwright/packing"
)

// File is a recorded case and what upstream decided.
type File struct {
	Input    *Case     `json:"input"`
	Upstream *Upstream `json:"upstream,omitempty"`
}

// Case is the input of one scheduling. Pools share one list of instance types, but
// for those that PoolInstanceTypes names.
type Case struct {
	Name          string              `json:"name"`
	Features      []string            `json:"features"`
	InstanceTypes []InstanceType      `json:"instanceTypes"`
	NodePools     []*packing.NodePool `json:"nodePools"`
	Nodes         []*corev1.Node      `json:"nodes,omitempty"`
	BoundPods     []*corev1.Pod       `json:"boundPods,omitempty"`
	DaemonSetPods []*corev1.Pod       `json:"daemonSetPods,omitempty"`
	Pods          []*corev1.Pod       `json:"pods"`
	Options       Options             `json:"options"`

	// PoolInstanceTypes names, for some pools, the instance types that they have, as
	// node classes can restrict them. The recordings have none.
	PoolInstanceTypes map[string][]string `json:"poolInstanceTypes,omitempty"`

	// The recordings have none of these: without Namespaces, those that
	// pods live in exist with the label that names them.
	Namespaces             []*corev1.Namespace             `json:"namespaces,omitempty"`
	PersistentVolumeClaims []*corev1.PersistentVolumeClaim `json:"persistentVolumeClaims,omitempty"`
	PersistentVolumes      []*corev1.PersistentVolume      `json:"persistentVolumes,omitempty"`
	StorageClasses         []*storagev1.StorageClass       `json:"storageClasses,omitempty"`
	CSINodes               []*storagev1.CSINode            `json:"csiNodes,omitempty"`

	// Now and PDBs are read by consolidation only.
	Now  *metav1.Time                    `json:"now,omitempty"`
	PDBs []*policyv1.PodDisruptionBudget `json:"pdbs,omitempty"`
}

// Options are the settings of the provisioner.
type Options struct {
	PreferencePolicy string `json:"preferencePolicy,omitempty"` // Respect (or "") or Ignore
	MinValuesPolicy  string `json:"minValuesPolicy,omitempty"`  // Strict (or "") or BestEffort
	ReservedCapacity bool   `json:"reservedCapacity"`
	// WellKnownLabels are those that the provider adds to Karpenter's own.
	WellKnownLabels []string `json:"wellKnownLabels,omitempty"`
	// SpotToSpot is the feature gate of that name; consolidation reads it.
	SpotToSpot bool `json:"spotToSpot,omitempty"`
	// ReservationIDLabel is the label of reservation ids, well known too.
	ReservationIDLabel string `json:"reservationIDLabel,omitempty"`
}

// InstanceType is a row of the case's catalog: allocatable is capacity less overhead.
type InstanceType struct {
	Name         string              `json:"name"`
	Capacity     corev1.ResourceList `json:"capacity"`
	Overhead     corev1.ResourceList `json:"overhead,omitempty"`
	Requirements []Requirement       `json:"requirements"`
	Offerings    []Offering          `json:"offerings"`
}

// Offering is one way to buy an instance type, in US dollars an hour.
type Offering struct {
	Price               float64       `json:"price"`
	Available           bool          `json:"available"`
	Requirements        []Requirement `json:"requirements"`
	ReservationCapacity int           `json:"reservationCapacity,omitempty"`
}

// Requirement is a node selector requirement with Karpenter's minValues.
type Requirement struct {
	Key       string   `json:"key"`
	Operator  string   `json:"operator"`
	Values    []string `json:"values,omitempty"`
	MinValues *int     `json:"minValues,omitempty"`
}

// Upstream is what the original decided in several runs of one case: each
// distinct outcome and how often it came, the most frequent first.
type Upstream struct {
	Version       string         `json:"version"`
	Runs          int            `json:"runs"`
	DistinctExact int            `json:"distinctExact"`
	DistinctShape int            `json:"distinctShape"`
	Exact         []ExactVariant `json:"variants_exact"`
	Shapes        []ShapeVariant `json:"variants_shape"`
}

// ExactVariant is an outcome and in how many runs it came.
type ExactVariant struct {
	Count   int     `json:"count"`
	Outcome Outcome `json:"outcome"`
}

// ShapeVariant is a shape and in how many runs it came.
type ShapeVariant struct {
	Count int   `json:"count"`
	Shape Shape `json:"shape"`
}

// ReadFile reads a recorded file, or a bare case without upstream's decisions.
// Errors name the file.
func ReadFile(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Read is ReadFile for a stream.
func Read(r io.Reader) (*File, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var f File
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	if f.Input == nil {
		f.Input = &Case{}
		if err := json.Unmarshal(data, f.Input); err != nil {
			return nil, err
		}
		if len(f.Input.Pods) == 0 && len(f.Input.NodePools) == 0 {
			return nil, fmt.Errorf("neither a recorded file nor a case: no input, no pods, no node pools")
		}
	}
	return &f, nil
}

// WriteFile writes a recorded file as one line of JSON.
func WriteFile(path string, f *File) error {
	var buf bytes.Buffer
	if err := Write(&buf, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, buf.Bytes(), 0o644)
}

// Write writes a file, an outcome or any other part of the format as one line of
// JSON, without escaping what only HTML needs escaped.
func Write(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
