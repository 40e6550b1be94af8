package instancetypes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/packing/resources"
)

// Labels that Karpenter's KWOK provider puts on nodes (sigs.k8s.io/karpenter
// v1.14.1 kwok/apis/v1alpha1/labels.go).
const (
	LabelKWOKSize   = "karpenter.kwok.sh/instance-size"
	LabelKWOKFamily = "karpenter.kwok.sh/instance-family"
	LabelKWOKCPU    = "karpenter.kwok.sh/instance-cpu"
	LabelKWOKMemory = "karpenter.kwok.sh/instance-memory"
)

// What the KWOK provider assumes (kwok/cloudprovider/helpers.go).
const (
	kwokPods           = 110
	kwokReservedCPU    = 100      // milli-CPU
	kwokReservedMemory = 10 << 20 // bytes
)

// maxKWOKErrors bounds the errors that ReadKWOK returns at once.
const maxKWOKErrors = 100

// maxKWOKVariants bounds the operating systems and architectures of one name.
const maxKWOKVariants = 16

// kwokType is an instance type as the file states it. What may be wrong in it
// stays raw until the error can be put in its place.
type kwokType struct {
	Name             string                     `json:"name"`
	Offerings        []json.RawMessage          `json:"offerings"`
	Architecture     string                     `json:"architecture"`
	OperatingSystems []string                   `json:"operatingSystems"`
	Resources        map[string]json.RawMessage `json:"resources"`
}

type kwokOffering struct {
	Price               json.RawMessage                  `json:"price"`
	Available           *bool                            `json:"available"`
	ReservationCapacity int                              `json:"reservationCapacity"`
	Requirements        []corev1.NodeSelectorRequirement `json:"requirements"`

	// The short form of older files.
	Zone         string `json:"zone"`
	CapacityType string `json:"capacityType"`

	// Not supported.
	CapacityOverride json.RawMessage `json:"capacityOverride"`
	OverheadOverride json.RawMessage `json:"overheadOverride"`
}

// ReadKWOK reads a catalog in the JSON format of the instance-type files of
// Karpenter's KWOK provider (sigs.k8s.io/karpenter v1.14.1
// kwok/cloudprovider/helpers.go): an array of types with name, architecture,
// operatingSystems, resources and offerings, an offering having a price and
// requirements, or the zone and capacityType of older files.
//
// Types are what the provider makes of them: 110 pods unless the file says
// otherwise, 100m CPU and 10Mi memory of overhead, and its four labels. Three
// things are treated with more care than there. Entries of one name that differ
// in operating system or architecture alone (the provider's own AWS file has
// each type once for linux and once for windows) become one type with all of
// them; a name with differing contents is an error. The architectures x86_64
// and aarch64 are taken for amd64 and arm64, the values that nodes carry. And an
// offering that is said not to be available is not.
//
// The error holds one line for each problem, up to a hundred, with the index and
// name of the type, the offering and the field: unknown fields, missing
// resources, quantities that do not parse, are negative or too large, prices
// that fail [CheckPrice], requirements that do not parse, offerings without one
// zone and one capacity type, equal offerings twice.
func ReadKWOK(r io.Reader) (*Catalog, error) {
	in := kwokReader{byName: map[string]int{}, wellKnown: map[string]bool{}}
	if err := in.read(json.NewDecoder(r)); err != nil {
		in.errs = append(in.errs, err)
	}
	if len(in.errs) > maxKWOKErrors {
		more := len(in.errs) - maxKWOKErrors
		in.errs = append(in.errs[:maxKWOKErrors:maxKWOKErrors], fmt.Errorf("and %d more", more))
	}
	if err := errors.Join(in.errs...); err != nil {
		return nil, fmt.Errorf("instance types: %w", err)
	}
	for _, key := range []string{LabelKWOKSize, LabelKWOKFamily, LabelKWOKCPU, LabelKWOKMemory} {
		in.wellKnown[key] = true
	}
	return NewCatalog(Info{
		Provider:        "kwok",
		WellKnownLabels: slices.Sorted(maps.Keys(in.wellKnown)),
		Provenance:      []string{"the user's file of instance types in the format of Karpenter's KWOK provider"},
	}, in.types...)
}

// kwokReader collects types and errors.
type kwokReader struct {
	types     []*InstanceType
	byName    map[string]int
	wellKnown map[string]bool // keys of the offerings' requirements
	errs      []error
}

// read decodes the array entry by entry. It returns an error where the text is
// no such array; problems of one entry go to errs.
func (in *kwokReader) read(dec *json.Decoder) error {
	if start, err := dec.Token(); err == io.EOF {
		return errors.New("the file is empty: it must be a JSON array of instance types")
	} else if err != nil {
		return err
	} else if start != json.Delim('[') {
		return fmt.Errorf("the file must be a JSON array of instance types, not begin with %v", start)
	}
	for i := 0; dec.More(); i++ {
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return fmt.Errorf("[%d]: %w", i, unexpectedEOF(err))
		}
		in.add(i, raw)
	}
	if _, err := dec.Token(); err != nil {
		return unexpectedEOF(err)
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("there is more after the array of instance types")
	}
	if len(in.types) == 0 && len(in.errs) == 0 {
		return errors.New("the array holds no instance type")
	}
	return nil
}

func unexpectedEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// strictly decodes JSON and rejects fields that v does not have.
func strictly(raw json.RawMessage, v any) error {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	return dec.Decode(v)
}

func (in *kwokReader) add(i int, raw json.RawMessage) {
	where := fmt.Sprintf("[%d]", i)
	fail := func(format string, args ...any) {
		in.errs = append(in.errs, fmt.Errorf("%s"+format, append([]any{where}, args...)...))
	}
	var k kwokType
	if err := strictly(raw, &k); err != nil {
		fail(": %w", err)
		return
	}
	failed := len(in.errs)
	if k.Name == "" {
		fail(".name: it is empty")
	} else {
		where += fmt.Sprintf(" %q: ", k.Name)
	}
	if k.Architecture == "" {
		fail("architecture: it is empty")
	}
	if len(k.OperatingSystems) == 0 || slices.Contains(k.OperatingSystems, "") {
		fail("operatingSystems: there is none, or an empty one")
	}
	capacity, err := k.capacity()
	for _, e := range unjoin(err) {
		fail("resources%w", e)
	}
	offerings := in.offerings(&k, fail)
	if len(in.errs) > failed {
		return
	}
	t := &InstanceType{
		Name:      k.Name,
		Capacity:  capacity,
		Offerings: offerings,
		Overhead: resources.Vector{
			{Name: corev1.ResourceCPU, Value: kwokReservedCPU},
			{Name: corev1.ResourceMemory, Value: kwokReservedMemory},
		},
	}
	t.Requirements = k.requirements(t)
	if err := in.merge(t); err != nil {
		fail("%w", err)
	}
}

// merge adds a type, or its operating systems and architectures to the type of
// the same name if nothing else differs.
func (in *kwokReader) merge(t *InstanceType) error {
	i, twice := in.byName[t.Name]
	if !twice {
		in.byName[t.Name] = len(in.types)
		in.types = append(in.types, t)
		return nil
	}
	first := in.types[i]
	switch {
	case !first.Capacity.Equal(t.Capacity):
		return errors.New("the name is there twice, with different resources")
	case !slices.EqualFunc(first.Offerings, t.Offerings, func(a, b Offering) bool {
		return a.Price == b.Price && a.Available == b.Available &&
			a.ReservationCapacity == b.ReservationCapacity && a.Requirements.Equal(b.Requirements)
	}):
		return errors.New("the name is there twice, with different offerings")
	}
	merged := slices.Clone(first.Requirements)
	for j, r := range merged {
		if r.Key() == corev1.LabelOSStable || r.Key() == corev1.LabelArchStable {
			all := slices.Concat(r.Values(), t.Requirements.Get(r.Key()).Values())
			if len(all) > maxKWOKVariants {
				return fmt.Errorf("the name stands for more than %d values of %s", maxKWOKVariants, r.Key())
			}
			merged[j] = requirements.Must(r.Key(), requirements.In, all...)
		}
	}
	first.Requirements = merged
	return nil
}

// capacity converts the resources. CPU and memory are required. Every problem is an
// error of its own in the joined one, to be put behind "resources".
func (k *kwokType) capacity() (resources.Vector, error) {
	list := make(corev1.ResourceList, len(k.Resources)+1)
	list[corev1.ResourcePods] = *resource.NewQuantity(kwokPods, resource.DecimalSI)
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(k.Resources)) {
		q, err := parseQuantity(k.Resources[name])
		if err != nil {
			errs = append(errs, fmt.Errorf("[%s]: %w", name, err))
			continue
		}
		list[corev1.ResourceName(name)] = q
	}
	for _, name := range []string{"cpu", "memory"} {
		if _, ok := k.Resources[name]; !ok {
			errs = append(errs, fmt.Errorf("[%s]: it is missing", name))
		}
	}
	v, err := resources.FromList(list)
	for _, e := range unjoin(err) {
		errs = append(errs, fmt.Errorf(": %w", e))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return v, nil
}

// parseQuantity reads a JSON string or number. Exponents of more than two digits
// are refused before apimachinery computes the power, which for a large one
// takes minutes.
func parseQuantity(raw json.RawMessage) (resource.Quantity, error) {
	text := string(raw)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(raw, &text); err != nil {
			return resource.Quantity{}, err
		}
	}
	const longest = 64
	if len(text) > longest {
		return resource.Quantity{}, fmt.Errorf("quantity of %d characters", len(text))
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 && len(strings.TrimLeft(text[i+1:], "+-0")) > 2 {
		return resource.Quantity{}, fmt.Errorf("%q: %w", text, resources.ErrTooLarge)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return resource.Quantity{}, fmt.Errorf("%q is no quantity such as 500m or 8Gi", text)
	}
	return q, nil
}

// offerings converts the offerings; problems go to fail.
func (in *kwokReader) offerings(k *kwokType, fail func(string, ...any)) []Offering {
	if len(k.Offerings) == 0 {
		fail("offerings: there is none")
	}
	seen := make(map[string]int, len(k.Offerings))
	out := make([]Offering, 0, len(k.Offerings))
	for i, raw := range k.Offerings {
		var stated kwokOffering
		if err := strictly(raw, &stated); err != nil {
			fail("offerings[%d]: %w", i, err)
			continue
		}
		o, err := stated.offering()
		if err != nil {
			for _, e := range unjoin(err) {
				fail("offerings[%d].%w", i, e)
			}
			continue
		}
		same := fingerprint(o.Requirements)
		if first, twice := seen[same]; twice {
			fail("offerings[%d]: its requirements are those of offerings[%d]", i, first)
			continue
		}
		seen[same] = i
		for _, r := range o.Requirements {
			in.wellKnown[r.Key()] = true
		}
		out = append(out, o)
	}
	return out
}

// unjoin returns the errors that errors.Join joined, none for nil.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// fingerprint tells sets of requirements apart.
func fingerprint(set requirements.Set) string {
	var b strings.Builder
	for _, r := range set {
		fmt.Fprintf(&b, "%q %s %q", r.Key(), r.Operator(), r.Values())
		gte, lower := r.Gte()
		lte, upper := r.Lte()
		fmt.Fprintf(&b, " %d %t %d %t\n", gte, lower, lte, upper)
	}
	return b.String()
}

// offering converts one offering. Each error begins with the field.
func (k *kwokOffering) offering() (Offering, error) {
	var errs []error
	price, err := k.price()
	if err != nil {
		errs = append(errs, fmt.Errorf("price: %w", err))
	}
	if k.ReservationCapacity < 0 {
		errs = append(errs, fmt.Errorf("reservationCapacity: it is negative: %d", k.ReservationCapacity))
	}
	if stated(k.CapacityOverride) || stated(k.OverheadOverride) {
		errs = append(errs, errors.New("capacityOverride: resources of an offering that differ from its type's are not supported"))
	}
	reqs := make([]requirements.Requirement, 0, len(k.Requirements)+2)
	for i, e := range k.Requirements {
		r, err := requirements.New(e.Key, e.Operator, e.Values...)
		if err != nil {
			errs = append(errs, fmt.Errorf("requirements[%d]: %w", i, err))
			continue
		}
		reqs = append(reqs, r)
	}
	if k.Zone != "" {
		reqs = append(reqs, requirements.Must(corev1.LabelTopologyZone, requirements.In, k.Zone))
	}
	if k.CapacityType != "" {
		reqs = append(reqs, requirements.Must(requirements.LabelCapacityType, requirements.In, k.CapacityType))
	}
	o := Offering{
		Requirements:        requirements.NewSet(reqs...),
		Price:               price,
		Available:           k.Available == nil || *k.Available,
		ReservationCapacity: k.ReservationCapacity,
	}
	if len(errs) == 0 {
		errs = append(errs, o.checkPlace())
	}
	return o, errors.Join(errs...)
}

// stated reports whether a field is there and not null.
func stated(raw json.RawMessage) bool { return len(raw) > 0 && string(raw) != "null" }

func (k *kwokOffering) price() (float64, error) {
	if !stated(k.Price) {
		return 0, errors.New("it is missing")
	}
	price, err := strconv.ParseFloat(string(k.Price), 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is infinite or zero
		return 0, fmt.Errorf("%s is no number", k.Price)
	}
	return price, CheckPrice(price)
}

// checkPlace checks that the offering is in one zone and of one capacity type.
func (o *Offering) checkPlace() error {
	if o.Zone() == "" {
		return fmt.Errorf("requirements: %s must be In one zone", corev1.LabelTopologyZone)
	}
	switch t := o.CapacityType(); t {
	case requirements.CapacityTypeOnDemand, requirements.CapacityTypeSpot, requirements.CapacityTypeReserved:
		return nil
	case "":
		return fmt.Errorf("requirements: %s must be In one capacity type", requirements.LabelCapacityType)
	default:
		return fmt.Errorf("requirements: unknown capacity type %q: it is on-demand, spot or reserved", t)
	}
}

// requirements are the labels that the provider gives a type (newInstanceType).
func (k *kwokType) requirements(t *InstanceType) requirements.Set {
	cpu, memory := k.canonical("cpu"), k.canonical("memory")
	capacityTypes := make([]string, len(t.Offerings))
	for i := range t.Offerings {
		capacityTypes[i] = t.Offerings[i].CapacityType()
	}
	in := func(key string, values ...string) requirements.Requirement {
		return requirements.Must(key, requirements.In, values...)
	}
	return requirements.NewSet(
		in(corev1.LabelInstanceTypeStable, k.Name),
		in(corev1.LabelArchStable, nodeArchitecture(k.Architecture)),
		in(corev1.LabelOSStable, k.OperatingSystems...),
		in(corev1.LabelTopologyZone, t.Zones()...),
		in(requirements.LabelCapacityType, capacityTypes...),
		in(LabelKWOKSize, kwokSize(k.Name, cpu)),
		in(LabelKWOKFamily, kwokFamily(k.Name)),
		in(LabelKWOKCPU, cpu),
		in(LabelKWOKMemory, memory),
	)
}

// canonical returns a quantity, known to parse, as Kubernetes prints it.
func (k *kwokType) canonical(name string) string {
	q, err := parseQuantity(k.Resources[name])
	if err != nil {
		return ""
	}
	return q.String()
}

// nodeArchitecture returns the value that nodes carry for a processor's name.
func nodeArchitecture(name string) string {
	switch name {
	case "x86_64":
		return "amd64"
	case "aarch64":
		return "arm64"
	}
	return name
}

// kwokSize is the part of an AWS name behind the dot if it looks like one, else
// the number of CPUs (parseSizeFromType).
func kwokSize(name, cpu string) string {
	family, size, found := strings.Cut(name, ".")
	if !found || family == "" || strings.ContainsFunc(family, func(r rune) bool { return !wordCharacter(r) }) {
		return cpu
	}
	switch size {
	case "nano", "micro", "small", "medium", "large", "metal":
		return size
	}
	if digits, ok := strings.CutSuffix(size, "xlarge"); ok &&
		!strings.ContainsFunc(digits, func(r rune) bool { return r < '0' || r > '9' }) {
		return size
	}
	return cpu
}

func wordCharacter(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// kwokFamily is the part of the name before the first dot or hyphen, or its first
// byte if it has neither (parseFamilyFromType).
func kwokFamily(name string) string {
	if i := strings.IndexAny(name, ".-"); i >= 0 {
		return name[:i]
	}
	return name[:1]
}
