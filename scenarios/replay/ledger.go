package replay

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/binwright/binwright/pricing"
)

// nodeBill is what the meter needs to know of a node; it stays the same from the
// node's launch to its end.
type nodeBill struct {
	typ, zone, capacityType string
	// owner is the node pool or node group.
	owner string
	// price is in US dollars an hour.
	price float64
	// milliCPU and memory (bytes) are allocatable.
	milliCPU, memory int64
}

// rate is a price in billionths of a US dollar an hour.
func rate(hourly float64) int64 { return int64(math.Round(hourly * billionths)) }

// wasted is the part of the price, in billionths of a dollar an hour, that nobody
// requests: 1 less the larger of the requested shares of CPU and memory.
func (n *nodeBill) wasted(milliCPU, memory int64) int64 {
	requested := 0.0
	if n.milliCPU > 0 {
		requested = float64(milliCPU) / float64(n.milliCPU)
	}
	if n.memory > 0 {
		requested = max(requested, float64(memory)/float64(n.memory))
	}
	return int64(math.Round(n.price * (1 - min(1, requested)) * billionths))
}

// account holds the nodes of one kind: those that are there, and what those that
// were billed have cost.
type account struct {
	accountKey
	nodes  int // there now
	billed int
	ran    integral // of billed nodes
	cost   amount   // of billed nodes, at their own price
	// commitment is what nodes of the account may use, nil if nothing: covered
	// nodes of it do now, since a moment, and did for some time before.
	commitment  *commitment
	covered     int
	since       time.Duration
	coveredTime integral
}

type accountKey struct {
	typ, zone, capacityType, owner string
	price                          float64
}

// ledger is the bill of all nodes. What is there now counts by rates in billionths
// of a dollar an hour, which are whole numbers, so that they come back to zero when
// the last node is gone.
type ledger struct {
	now       time.Duration
	nodes     int   // billed now
	priceRate int64 // of all nodes at their own price
	wasteRate int64
	// Of the price rate a part is covered by commitments, which are paid for
	// instead, used and unused.
	coveredRate, committedRate, unusedRate     int64
	nodeTime                                   integral
	priceTime, wasteTime, paidTime, unusedTime integral
	// rounding bounds what rounding each node's time up may add to the bill.
	rounding    amount
	accounts    map[accountKey]*account
	commitments map[string]*commitment // by instance type
}

func newLedger() ledger {
	return ledger{accounts: map[accountKey]*account{}, commitments: map[string]*commitment{}}
}

func (l *ledger) pass(held time.Duration) {
	l.now += held
	l.nodeTime.add(int64(l.nodes), held)
	l.priceTime.add(l.priceRate, held)
	l.wasteTime.add(l.wasteRate, held)
	l.paidTime.add(l.paidRate(), held)
	l.unusedTime.add(l.unusedRate, held)
}

// paidRate is what is being paid now, used and unused commitments among it.
func (l *ledger) paidRate() int64 { return l.priceRate - l.coveredRate + l.committedRate }

func (l *ledger) account(n *nodeBill) *account {
	key := accountKey{n.typ, n.zone, n.capacityType, n.owner, n.price}
	a := l.accounts[key]
	if a == nil {
		a = &account{accountKey: key, since: l.now, commitment: l.commitmentOf(&key)}
		l.accounts[key] = a
		if a.commitment != nil {
			a.commitment.join(a)
		}
	}
	return a
}

func (l *ledger) open(n *nodeBill) { l.change(n, 1) }

func (l *ledger) closed(n *nodeBill) { l.change(n, -1) }

// change counts a node that comes or goes, with nothing requested of it.
func (l *ledger) change(n *nodeBill, by int) {
	l.nodes += by
	l.priceRate += int64(by) * rate(n.price)
	l.wasteRate += int64(by) * n.wasted(0, 0)
	a := l.account(n)
	a.nodes += by
	if a.commitment != nil {
		l.cover(a.commitment)
	}
}

// bill charges the time that a node ran.
func (l *ledger) bill(n *nodeBill, ran time.Duration) {
	a := l.account(n)
	a.billed++
	a.ran.add(1, ran)
	a.cost.add(pricing.Cost(n.price, ran))
	l.rounding.add(pricing.Cost(n.price, time.Minute))
}

// hourly is what is being paid now, in US dollars an hour.
func (l *ledger) hourly() float64 { return float64(l.paidRate()) / billionths }

// paid is what was paid by exact time, in US dollars.
func (l *ledger) paid() float64 { return l.paidTime.hours() / billionths }

// accrued is what nodes cost at their own prices by exact time, in US dollars.
func (l *ledger) accrued() float64 { return l.priceTime.hours() / billionths }

func (l *ledger) cost() Cost {
	var total amount
	splits := [4]map[string]*share{{}, {}, {}, {}}
	for key, a := range l.accounts {
		cost := a.cost
		cost.add(-l.saved(a))
		total.plus(cost)
		for i, name := range [...]string{key.typ, key.capacityType, key.owner, key.zone} {
			s := splits[i][name]
			if s == nil {
				s = &share{}
				splits[i][name] = s
			}
			s.nodes += a.billed
			s.ran.plus(a.ran)
			s.cost.plus(cost)
		}
	}
	var unused amount
	unused.add(l.unusedTime.hours() / billionths)
	total.plus(unused)
	return Cost{
		TotalUSD: total.usd(), UnusedCommitmentUSD: unused.usd(), WasteUSD: l.wasteTime.hours() / billionths,
		ByType: listed(splits[0]), ByCapacityType: listed(splits[1]), ByOwner: listed(splits[2]), ByZone: listed(splits[3]),
	}
}

// share adds up the accounts of one name.
type share struct {
	nodes int
	ran   integral
	cost  amount
}

func listed(shares map[string]*share) []Share {
	out := make([]Share, 0, len(shares))
	for name, s := range shares {
		out = append(out, Share{name, s.nodes, s.ran.hours(), s.cost.usd()})
	}
	slices.SortFunc(out, func(a, b Share) int {
		return cmp.Or(-cmp.Compare(a.USD, b.USD), cmp.Compare(a.Name, b.Name))
	})
	return out
}
