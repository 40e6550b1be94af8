package feasibility

// counting states what a topology rule counts: which pods weigh, on which nodes,
// by which topology key. It is interned; a Cluster keeps a counter for each in use.
type counting struct {
	index    int
	key      int // topology key
	weigh    func(*Class) int
	eligible func(*node) bool
	term     *podSelector // of a carried anti-affinity term
}

func (u *Universe) counting(key string, fresh *counting) *counting {
	if known, ok := u.countingByKey[key]; ok {
		return known
	}
	fresh.index = len(u.countings)
	u.countings = append(u.countings, fresh)
	u.countingByKey[key] = fresh
	return fresh
}

// counter is a counting over the nodes and pods of one cluster.
type counter struct {
	counting *counting
	pods     []int32 // by domain: pods that weigh
	nodes    []int32 // by domain: eligible nodes; the domain exists while there is one
	domains  int     // domains that exist
	total    int     // pods in all
	having   []int32 // by number of pods: how many existing domains have it
	min      int     // no existing domain has fewer
}

func (k *counter) grow(domain int32) {
	for int(domain) >= len(k.pods) {
		k.pods = append(k.pods, 0)
		k.nodes = append(k.nodes, 0)
	}
}

func (k *counter) at(domain int32) int {
	if int(domain) >= len(k.pods) {
		return 0
	}
	return int(k.pods[domain])
}

// none is the least of no domains, a number beyond all skews.
const none = 1<<31 - 1

// least returns the fewest pods that any existing domain has, or none.
func (k *counter) least() int {
	if k.domains == 0 {
		return none
	}
	for k.having[k.min] == 0 {
		k.min++
	}
	return k.min
}

// leastBut returns the fewest pods that any existing domain but one has, or none.
func (k *counter) leastBut(domain int32) int {
	if int(domain) >= len(k.nodes) || k.nodes[domain] == 0 {
		return k.least()
	}
	if k.domains == 1 {
		return none
	}
	least := k.least()
	if k.at(domain) > least || k.having[least] > 1 {
		return least
	}
	for least++; k.having[least] == 0; least++ {
	}
	return least
}

func (k *counter) tally(pods, by int32) {
	for int(pods) >= len(k.having) {
		k.having = append(k.having, 0)
	}
	k.having[pods] += by
	if by > 0 && int(pods) < k.min {
		k.min = int(pods)
	}
}

func (k *counter) addNode(domain int32) {
	k.grow(domain)
	k.nodes[domain]++
	if k.nodes[domain] == 1 {
		if k.domains == 0 {
			k.min = int(k.pods[domain])
		}
		k.domains++
		k.tally(k.pods[domain], 1)
	}
}

func (k *counter) removeNode(domain int32) {
	k.nodes[domain]--
	if k.nodes[domain] == 0 {
		k.domains--
		k.tally(k.pods[domain], -1)
	}
}

// addPods counts n pods, fewer than none to take them away.
func (k *counter) addPods(domain int32, n int32) {
	before := k.pods[domain]
	k.pods[domain] += n
	k.total += int(n)
	if k.nodes[domain] > 0 {
		k.tally(before, -1)
		k.tally(before+n, 1)
	}
}
