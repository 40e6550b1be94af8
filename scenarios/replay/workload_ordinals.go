package replay

import (
	"strconv"
	"strings"
)

// stateful reports whether the workload is a StatefulSet.
func (w *workload) stateful() bool { return w.Kind == "StatefulSet" }

// reconcileOrdinals keeps the pods of a StatefulSet (pkg/controller/statefulset/stateful_set_control.go
// of Kubernetes 1.35 with podManagementPolicy OrderedReady, the default): one pod of each ordinal. It takes one
// step at a time, and the next only while every pod before it runs: makes the first that is
// missing, else deletes the last that is too much, else the last of an old template.
func (w *workload) reconcileOrdinals() error {
	at := make([]*pod, w.replicas)
	var last *pod // beyond the replicas
	for _, p := range w.pods {
		switch i := ordinal(p); {
		case i < w.replicas:
			at[i] = p
		case last == nil || i > ordinal(last):
			last = p
		}
	}
	for i, p := range at {
		if p == nil {
			_, err := w.r.submit(w.NewPod(i), w, nil)
			return err
		}
		if p.state != podRunning {
			return nil
		}
	}
	for i := len(at) - 1; i >= 0 && last == nil; i-- {
		if !w.current(at[i]) {
			last = at[i]
		}
	}
	if last == nil || last.state == podStopping {
		return nil
	}
	return w.r.remove(last)
}

// ordinal is the number at the end of the name of a StatefulSet's pod.
func ordinal(p *pod) int {
	n, err := strconv.Atoi(p.obj.Name[strings.LastIndexByte(p.obj.Name, '-')+1:])
	if err != nil {
		return 0
	}
	return n
}
