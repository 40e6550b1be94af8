package scenarios_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios"
)

// livePod is a pod as kubectl prints it, without managed fields.
const livePod = `- apiVersion: v1
  kind: Pod
  metadata:
    creationTimestamp: "2026-01-01T00:00:00Z"
    generateName: web-abcdef-
    labels:
      app: web
      pod-template-hash: abcdef
    name: web-abcdef-%06d
    namespace: default
    ownerReferences:
    - apiVersion: apps/v1
      blockOwnerDeletion: true
      controller: true
      kind: ReplicaSet
      name: web-abcdef
      uid: 1b0d0f5c-0000-4000-8000-000000000000
    resourceVersion: "1234"
    uid: 1b0d0f5c-0000-4000-8000-000000%06d
  spec:
    containers:
    - image: nginx
      imagePullPolicy: Always
      name: nginx
      resources:
        requests:
          cpu: 100m
          memory: 128Mi
      terminationMessagePath: /dev/termination-log
      terminationMessagePolicy: File
      volumeMounts:
      - mountPath: /var/run/secrets/kubernetes.io/serviceaccount
        name: kube-api-access-x
        readOnly: true
    dnsPolicy: ClusterFirst
    enableServiceLinks: true
    preemptionPolicy: PreemptLowerPriority
    priority: 0
    restartPolicy: Always
    schedulerName: default-scheduler
    serviceAccount: default
    serviceAccountName: default
    terminationGracePeriodSeconds: 30
    tolerations:
    - effect: NoExecute
      key: node.kubernetes.io/not-ready
      operator: Exists
      tolerationSeconds: 300
  status:
    conditions:
    - lastProbeTime: null
      lastTransitionTime: "2026-01-01T00:00:00Z"
      message: '0/3 nodes are available: 3 Insufficient cpu.'
      reason: Unschedulable
      status: "False"
      type: PodScheduled
    phase: Pending
    qosClass: Burstable
`

// liveList is a List of n pods in YAML, as kubectl prints it.
func liveList(n int) []byte {
	var b bytes.Buffer
	b.WriteString("apiVersion: v1\nitems:\n")
	for i := range n {
		fmt.Fprintf(&b, livePod, i, i)
	}
	b.WriteString("kind: List\nmetadata:\n  resourceVersion: \"\"\n")
	return b.Bytes()
}

// BenchmarkRead loads Lists of live pods. 1,000 pods are a common cluster,
// 100,000 the largest that Kubernetes supports.
func BenchmarkRead(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		yaml := liveList(n)
		for _, f := range []struct {
			format string
			text   []byte
		}{{"yaml", yaml}, {"json", toJSON(b, yaml)}} {
			b.Run(fmt.Sprintf("format=%s/pods=%d", f.format, n), func(b *testing.B) {
				b.SetBytes(int64(len(f.text)))
				b.ReportAllocs()
				for b.Loop() {
					s, err := scenarios.Read(bytes.NewReader(f.text), "list")
					require.NoError(b, err)
					require.Len(b, s.Snapshot.Pods, n)
				}
				b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
			})
		}
	}
}

// BenchmarkExpand makes the pods of a Deployment: 1,000,000 is what a scenario
// may hold unless told otherwise.
func BenchmarkExpand(b *testing.B) {
	for _, n := range []int{10_000, 1_000_000} {
		b.Run(fmt.Sprintf("pods=%d", n), func(b *testing.B) {
			text := fmt.Sprintf("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: %d, selector: {matchLabels: {app: web}}, "+
				"template: {metadata: {labels: {app: web}}, spec: {containers: [{name: web, resources: {requests: {cpu: 100m}}}]}}}\n", n)
			b.ReportAllocs()
			for b.Loop() {
				s, err := scenarios.Read(bytes.NewReader([]byte(text)), "deployment")
				require.NoError(b, err)
				require.Len(b, s.Snapshot.Pods, n)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "pods/s")
		})
	}
}
