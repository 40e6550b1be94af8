package clusterautoscaler

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/internal/feasibility"
)

// TestSpecEqualReadsEveryField sets the fields of a spec and of its container one by
// one: each must make a difference but those that the original drops.
func TestSpecEqualReadsEveryField(t *testing.T) {
	dropped := map[string]bool{"Hostname": true, "Env": true}
	check := func(where string, target func(*corev1.PodSpec) reflect.Value) {
		kind := target(base()).Type()
		for i := range kind.NumField() {
			name := kind.Field(i).Name
			if name == "Containers" || name == "InitContainers" {
				continue // their fields are checked one by one
			}
			t.Run(where+name, func(t *testing.T) {
				a, b := base(), base()
				fill(target(b).Field(i))
				for j := range b.Volumes {
					b.Volumes[j].Projected = nil // such volumes are dropped
				}
				require.False(t, equality.Semantic.DeepEqual(*a, *b))
				assert.Equal(t, dropped[name], specEqual(a, b), "a spec that differs in %s", name)
				assert.True(t, specEqual(b, b.DeepCopy()), "a copy")
			})
		}
	}
	check("", func(s *corev1.PodSpec) reflect.Value { return reflect.ValueOf(s).Elem() })
	check("container ", func(s *corev1.PodSpec) reflect.Value { return reflect.ValueOf(&s.Containers[0]).Elem() })
	check("init container ", func(s *corev1.PodSpec) reflect.Value { return reflect.ValueOf(&s.InitContainers[0]).Elem() })
}

// fill gives a value and all that it holds something other than the zero value.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if q, ok := v.Addr().Interface().(*resource.Quantity); ok {
			*q = resource.MustParse("7")
			return
		}
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

func base() *corev1.PodSpec {
	return &corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}, InitContainers: []corev1.Container{{Name: "i"}}}
}

func TestProjectedVolumesMakeNoDifference(t *testing.T) {
	with := func(token string, mounts ...string) *corev1.PodSpec {
		s := base()
		s.Volumes = []corev1.Volume{{Name: token, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{}}}, {Name: "data"}}
		for _, m := range append(mounts, token) {
			s.Containers[0].VolumeMounts = append(s.Containers[0].VolumeMounts, corev1.VolumeMount{Name: m, MountPath: "/" + m})
		}
		return s
	}
	assert.True(t, specEqual(with("kube-api-access-1"), with("kube-api-access-2")))
	assert.False(t, specEqual(with("kube-api-access-1"), with("kube-api-access-2", "data")))
}

func TestControllersHaveTenGroups(t *testing.T) {
	// Twelve kinds of one controller, two pods each: the last two kinds are not grouped.
	var pods []*corev1.Pod
	for i := range 12 {
		pods = append(pods, testPods("w", 2, 1, 1, func(p *corev1.Pod) { p.Labels["kind"] = fmt.Sprint(i) })...)
	}
	pods = append(pods, testPods("bare", 2, 1, 1, func(p *corev1.Pod) { p.OwnerReferences = nil })...)
	table, err := readPods(feasibility.NewUniverse(&packing.Snapshot{}), pods, nil)
	require.NoError(t, err)
	all := make([]int32, len(pods))
	for i := range all {
		all[i] = int32(i)
	}
	assert.Len(t, table.group(all), 10+2*2+2)
}

// Specs that are the same to the bit are equal; a copy that differs anywhere is not the same.
func TestIdenticalSpecs(t *testing.T) {
	grace := int64(30)
	spec := corev1.PodSpec{SchedulerName: "s", TerminationGracePeriodSeconds: &grace, Containers: []corev1.Container{{Name: "main"}}}
	same := spec
	if !identicalSpecs(&spec, &same) || !specEqual(&spec, &same) {
		t.Error("a copy that shares everything is not identical")
	}
	for name, change := range map[string]func(*corev1.PodSpec){
		"first field": func(s *corev1.PodSpec) { s.Volumes = []corev1.Volume{{Name: "v"}} },
		"string":      func(s *corev1.PodSpec) { s.SchedulerName = "other" },
		"pointer":     func(s *corev1.PodSpec) { s.TerminationGracePeriodSeconds = nil },
		"flag":        func(s *corev1.PodSpec) { s.HostNetwork = true },
		"last field":  func(s *corev1.PodSpec) { s.WorkloadRef = &corev1.WorkloadReference{Name: "w"} },
	} {
		changed := spec
		if change(&changed); identicalSpecs(&spec, &changed) || specEqual(&spec, &changed) {
			t.Errorf("%s: the change is not noticed", name)
		}
	}
}
