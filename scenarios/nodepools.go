package scenarios

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// Bounds of the NodePool's schema (sigs.k8s.io/karpenter v1.14.1
// pkg/apis/v1/nodepool.go).
const (
	maxRequirements   = 100
	maxMinValues      = 50
	maxWeight         = 100
	maxBudgets        = 50
	defaultExpiry     = 720 * time.Hour
	defaultBudget     = "10%"
	defaultPolicy     = "WhenEmptyOrUnderutilized"
	karpenterDomain   = "karpenter.sh"
	requirementsField = "spec.template.spec.requirements"
)

var budgetNodes = regexp.MustCompile(`^((100|[0-9]{1,2})%|[0-9]+)$`)

// nodePool completes a NodePool as its schema does and checks it as schema and
// controller do (nodepool_validation.go, nodeclaim_validation.go). The node class
// is not read: which images and subnets there are is up to the catalog.
func (l *loader) nodePool(o *object, p *packing.NodePool, catalog *instancetypes.Catalog, e *fieldErrors) {
	completeNodePool(p)
	e.nodePoolShape(p)
	template := &p.Spec.Template
	e.labels("spec.template.metadata.labels", template.Labels)
	for _, key := range slices.Sorted(maps.Keys(template.Labels)) {
		if message := restrictedLabel(key); message != "" {
			e.add("spec.template.metadata.labels["+key+"]", "%s", message)
		}
	}
	e.taints("spec.template.spec.taints", template.Spec.Taints)
	e.taints("spec.template.spec.startupTaints", template.Spec.StartupTaints)
	if template.Spec.Requirements == nil {
		e.add(requirementsField, "is missing; a NodePool states its requirements ([] for none, or for instance {key: karpenter.sh/capacity-type, operator: In, values: [on-demand]})")
	}
	if len(template.Spec.Requirements) > maxRequirements {
		e.add(requirementsField, "%d are more than the %d allowed", len(template.Spec.Requirements), maxRequirements)
	}
	before := len(*e)
	for i, r := range template.Spec.Requirements {
		e.nodePoolRequirement(fmt.Sprintf("%s[%d]", requirementsField, i), r)
	}
	if catalog != nil && len(*e) == before {
		l.checkAgainstCatalog(o, p, catalog)
	}
}

// completeNodePool fills in the defaults of the schema.
func completeNodePool(p *packing.NodePool) {
	if d := &p.Spec.Disruption; d.ConsolidationPolicy == "" {
		d.ConsolidationPolicy = defaultPolicy
	}
	if p.Spec.Disruption.Budgets == nil {
		p.Spec.Disruption.Budgets = []packing.Budget{{Nodes: defaultBudget}}
	}
	for i := range p.Spec.Disruption.Budgets {
		if b := &p.Spec.Disruption.Budgets[i]; b.Nodes == "" {
			b.Nodes = defaultBudget
		}
	}
	if expire := &p.Spec.Template.Spec.ExpireAfter; *expire == (packing.NillableDuration{}) {
		expire.Duration = defaultExpiry
	}
}

// nodePoolShape checks weight, replicas, limits and disruption.
func (e *fieldErrors) nodePoolShape(p *packing.NodePool) {
	e.quantities("spec.limits", p.Spec.Limits)
	if w := p.Spec.Weight; w != nil && (*w < 1 || *w > maxWeight) {
		e.add("spec.weight", "%d is not from 1 to %d", *w, maxWeight)
	}
	if r := p.Spec.Replicas; r != nil {
		if *r < 0 {
			e.add("spec.replicas", "%d is negative", *r)
		}
		if p.Spec.Weight != nil {
			e.add("spec.weight", "is not for a static NodePool (one with replicas)")
		}
		for name := range p.Spec.Limits {
			if name != "nodes" {
				e.add("spec.limits["+string(name)+"]", "a static NodePool (one with replicas) has no limit but nodes")
			}
		}
	}
	d := &p.Spec.Disruption
	e.oneOf("spec.disruption.consolidationPolicy", d.ConsolidationPolicy, "WhenEmpty", "WhenEmptyOrUnderutilized", "Balanced")
	if len(d.Budgets) > maxBudgets {
		e.add("spec.disruption.budgets", "%d are more than the %d allowed", len(d.Budgets), maxBudgets)
	}
	for i, b := range d.Budgets {
		at := fmt.Sprintf("spec.disruption.budgets[%d]", i)
		if !budgetNodes.MatchString(b.Nodes) {
			e.add(at+".nodes", "%q is neither a number nor a percentage up to 100%%", shorten(b.Nodes))
		}
		if (b.Schedule == nil) != (b.Duration == nil) {
			e.add(at, "schedule and duration need each other")
		}
		for j, r := range b.Reasons {
			e.oneOf(fmt.Sprintf("%s.reasons[%d]", at, j), r, "Underutilized", "Empty", "Drifted")
		}
	}
}

// nodePoolRequirement checks one requirement as Karpenter's ValidateRequirement does.
func (e *fieldErrors) nodePoolRequirement(at string, r packing.NodePoolExpression) {
	before := len(*e)
	operator := string(r.Operator)
	if operator == "NotIn" && len(r.Values) == 0 {
		operator = "Exists" // Karpenter takes it, and it means the same
	}
	e.nodeSelectorRequirement(at, r.Key, operator, r.Values, nodePoolOperators)
	if message := restrictedLabel(r.Key); message != "" {
		e.add(at+".key", "%s", message)
	}
	if len(*e) > before {
		return
	}
	switch r.Operator {
	case requirements.Gt, requirements.Lt, requirements.Gte, requirements.Lte:
		if n, err := strconv.Atoi(r.Values[0]); err != nil || n < 0 {
			e.add(at+".values[0]", "%q is not a whole number from 0 on", r.Values[0])
		}
	case requirements.In:
		if requirements.NormalizeKey(r.Key) == requirements.LabelCapacityType &&
			!slices.ContainsFunc(r.Values, func(v string) bool { return slices.Contains(capacityTypes, v) }) {
			e.add(at+".values", "%q: expected %s", r.Values, quotedList(capacityTypes))
		}
	}
	if r.MinValues == nil {
		return
	}
	if *r.MinValues < 1 || *r.MinValues > maxMinValues {
		e.add(at+".minValues", "%d is not from 1 to %d", *r.MinValues, maxMinValues)
	} else if r.Operator == requirements.In && len(r.Values) < *r.MinValues {
		e.add(at+".minValues", "%d is more than the %s given", *r.MinValues, plural(len(r.Values), "value"))
	}
}

// restrictedLabel says why a label may not be set on a node pool, "" if it may
// (IsRestrictedLabel in pkg/apis/v1/labels.go).
func restrictedLabel(key string) string {
	key = requirements.NormalizeKey(key)
	if key == requirements.LabelNodePool {
		return key + " is Karpenter's own and restricted"
	}
	if requirements.WellKnown(key) {
		return ""
	}
	domain, _, found := strings.Cut(key, "/")
	if found && (domain == karpenterDomain || strings.HasSuffix(domain, "."+karpenterDomain)) {
		return fmt.Sprintf("label %s is in Karpenter's own domain and restricted", shorten(key))
	}
	if key == corev1.LabelHostname {
		return "label " + key + " is restricted"
	}
	return ""
}

// checkAgainstCatalog warns of keys and values that no instance type has: mostly
// slips of the pen, which Karpenter takes and then launches nothing.
func (l *loader) checkAgainstCatalog(o *object, p *packing.NodePool, catalog *instancetypes.Catalog) {
	reqs, err := p.Requirements()
	if err != nil {
		l.problemAt(o, fieldError{requirementsField, err.Error()})
		return
	}
	for i, r := range p.Spec.Template.Spec.Requirements {
		key := requirements.NormalizeKey(r.Key)
		at := fmt.Sprintf("%s[%d]", requirementsField, i)
		known := l.labelValues(catalog)
		if _, ok := known[key]; !ok {
			if near := instancetypes.Nearest(key, l.labelKeys(catalog)); near != "" {
				l.warnAt(o, fmt.Sprintf("%s.key: no instance type has a label %q; did you mean %q?", at, shorten(key), near))
			}
			continue
		}
		if r.Operator != requirements.In && r.Operator != requirements.NotIn {
			continue
		}
		for _, v := range r.Values {
			if !slices.Contains(known[key], v) {
				l.warnAt(o, fmt.Sprintf("%s.values: no instance type of the catalog has %s %q%s", at, key, shorten(v), didYouMean(v, known[key])))
			}
		}
	}
	reqs = slices.DeleteFunc(slices.Clone(reqs), func(r requirements.Requirement) bool {
		_, known := l.labelValues(catalog)[r.Key()]
		return !known // labels of the pool's own
	})
	if len(catalog.Compatible(reqs).Types()) == 0 {
		l.warnAt(o, "no instance type of the catalog meets the requirements: the pool can launch nothing")
	}
}

// labelValues returns, once computed, every label of the catalog's types and
// offerings with all its values, sorted.
func (l *loader) labelValues(catalog *instancetypes.Catalog) map[string][]string {
	if l.catalogLabels != nil {
		return l.catalogLabels
	}
	seen := map[string]map[string]bool{}
	added := map[*requirements.Requirement]bool{} // offerings alike share one set
	add := func(set requirements.Set) {
		if len(set) == 0 || added[&set[0]] {
			return
		}
		added[&set[0]] = true
		for _, r := range set {
			if r.Complement() {
				continue
			}
			values := seen[r.Key()]
			if values == nil {
				values = map[string]bool{}
				seen[r.Key()] = values
			}
			for _, v := range r.Values() {
				values[v] = true
			}
		}
	}
	for _, t := range catalog.Types() {
		add(t.Requirements)
		for i := range t.Offerings {
			add(t.Offerings[i].Requirements)
		}
	}
	all := make(map[string][]string, len(seen))
	for key, values := range seen {
		all[key] = slices.Sorted(maps.Keys(values))
	}
	all[requirements.LabelCapacityType] = capacityTypes
	l.catalogLabels = all
	return all
}

func (l *loader) labelKeys(catalog *instancetypes.Catalog) []string {
	var keys []string
	for key := range l.labelValues(catalog) {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
