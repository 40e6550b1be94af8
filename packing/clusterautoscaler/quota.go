package clusterautoscaler

// quota is how many cores and how much memory the cluster may still grow by
// (pkg/resourcequotas/tracker.go; the limits of --cores-total and --memory-total).
type quota struct {
	cores, memory int64
}

// newQuota counts the nodes of the snapshot, upcoming ones included, against the limits.
func (r *run) newQuota() *quota {
	q := &quota{cores: r.settings.CoresTotal, memory: r.settings.MemoryTotal * gib}
	for _, i := range r.cluster.Order() {
		p := r.cluster.Profile(i)
		q.cores -= p.Cores
		q.memory -= p.Memory
	}
	q.cores, q.memory = max(0, q.cores), max(0, q.memory)
	return q
}

// allows returns how many of n nodes like the template may be added, and which
// limit stands in the way, "" if none does.
func (q *quota) allows(t *template, n int) (allowed int, exceeded string) {
	allowed = n
	check := func(left, each int64, name string) {
		if each > 0 && left < each*int64(n) {
			allowed = min(allowed, int(left/each))
			exceeded = name
		}
	}
	check(q.cores, t.profile.Cores, "cores-total")
	check(q.memory, t.profile.Memory, "memory-total")
	return allowed, exceeded
}

// consume takes the share of n nodes away.
func (q *quota) consume(t *template, n int) {
	q.cores = max(0, q.cores-t.profile.Cores*int64(n))
	q.memory = max(0, q.memory-t.profile.Memory*int64(n))
}
