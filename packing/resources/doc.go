// Package resources holds resource vectors: exact integer amounts of CPU,
// memory, pods and every other resource that Kubernetes counts.
//
// A [Vector] is converted once from a corev1.ResourceList; from there on all
// arithmetic is on int64. CPU is in milli-CPU, everything else in its own base
// unit (memory and ephemeral-storage in bytes, pods and extended resources such
// as nvidia.com/gpu in counts). A fraction of a unit is rounded up, as
// kube-scheduler does (resource.Quantity.MilliValue and Value).
package resources
