package clusterautoscaler

import "slices"

// openRun is a run with room for a class: how much on each node, and where it stands.
type openRun struct {
	block, run  int
	first       int // number of its first node
	nodes, room int
	count       int32 // pods that the class's rule over hosts counts
}

// rounds places many pods of a class on the nodes with room, one pod a node, around
// and around. Which nodes come to have how many follows by division.
type rounds struct {
	open   []openRun
	byRoom []int32
	more   []span
}

// span is simulated nodes from one number up to another, which is left out.
type span struct{ from, to int }

// findRoom notes the runs that take pods of a class, in order, and returns how many
// pods that is in all.
func (w *rounds) findRoom(s *simulated, c *runClass, others int) (all int) {
	w.open = w.open[:0]
	if !s.look(c, others) {
		return 0
	}
	at := 0
	for i, b := range s.blocks {
		if b.closed.Has(c.shape) {
			at += b.nodes
			continue
		}
		known := len(w.open)
		for j := range b.runs {
			r := &b.runs[j]
			if room := r.room(c, others); room > 0 {
				o := openRun{block: i, run: j, first: at, nodes: r.nodes, room: room}
				if c.host != nil {
					o.count = r.counts[c.rule]
				}
				w.open = append(w.open, o)
				all += room * r.nodes
			}
			at += r.nodes
		}
		if len(w.open) == known {
			b.closed.Set(c.shape)
		}
	}
	if len(w.open) == 0 {
		s.refusedBy[c.shape] = s.nodes
	}
	return all
}

// reckon returns how many full rounds the pods make over the nodes that still have
// room, and how many pods are left for the round after.
func (w *rounds) reckon(pods int) (full, rest int) {
	w.byRoom = w.byRoom[:0]
	open := 0 // nodes with room in the current round
	for i := range w.open {
		w.byRoom = append(w.byRoom, int32(i))
		open += w.open[i].nodes
	}
	slices.SortFunc(w.byRoom, func(a, b int32) int { return w.open[a].room - w.open[b].room })
	rest = pods
	for _, i := range w.byRoom {
		o := &w.open[i]
		more := o.room - full // rounds in which all open nodes take one
		if rest < more*open {
			more = rest / open
			return full + more, rest - more*open
		}
		full += more
		rest -= more * open
		open -= o.nodes
	}
	return full, rest
}

// last returns the node that gets the last pod: the rest-th from the start on with
// room beyond the full rounds, or, if nothing is left over, the last one in the last
// full round.
func (w *rounds) last(start, full, rest int) int {
	last, found := 0, 0
	w.around(start, func(o *openRun, from, to int) bool {
		switch {
		case rest > 0 && o.room > full:
			last = from + min(to-from, rest-found) - 1
			found += min(to-from, rest-found)
			return found < rest
		case rest == 0 && o.room >= full:
			last = to - 1
		}
		return true
	})
	return last
}

// around visits the runs with room from a node on, around, with the nodes of each to
// look at. The run in which the node lies comes first and, what is before the node, last.
func (w *rounds) around(start int, visit func(o *openRun, from, to int) bool) {
	first, _ := slices.BinarySearchFunc(w.open, start, func(o openRun, start int) int { return o.first + o.nodes - 1 - start })
	for i := first; i < len(w.open); i++ {
		o := &w.open[i]
		if !visit(o, max(o.first, start), o.first+o.nodes) {
			return
		}
	}
	for i := range first {
		o := &w.open[i]
		if !visit(o, o.first, o.first+o.nodes) {
			return
		}
	}
	if first < len(w.open) && w.open[first].first < start {
		visit(&w.open[first], w.open[first].first, start)
	}
}

// serve gives every node its pods: one a round, and one more to the first that still
// have room.
func (w *rounds) serve(s *simulated, c *runClass, start, full, rest int) {
	more := w.more[:0]
	if rest > 0 {
		w.around(start, func(o *openRun, from, to int) bool {
			if o.room > full {
				n := min(to-from, rest)
				more = append(more, span{from, from + n})
				rest -= n
			}
			return rest > 0
		})
		slices.SortFunc(more, func(a, b span) int { return a.from - b.from })
		w.more = more
	}
	// From the end, so that what is still to do keeps its place.
	for i := len(w.open) - 1; i >= 0; i-- {
		o := &w.open[i]
		known := len(more)
		for known > 0 && more[known-1].from >= o.first {
			known--
		}
		b := s.blocks[o.block]
		r := b.runs[o.run]
		each := min(o.room, full)
		from, end := o.first, o.first+o.nodes
		s.parts = s.parts[:0]
		for _, m := range more[known:] {
			s.part(c, &r, m.from-from, each)
			s.part(c, &r, m.to-m.from, each+1)
			from = m.to
		}
		s.part(c, &r, end-from, each)
		more = more[:known]
		b.replace(o.run, s.parts)
		if i == 0 || w.open[i-1].block != o.block {
			b.join(0, len(b.runs))
			s.divide(o.block)
		}
	}
}

// untilLeastGrows returns after how many pods, placed around from a node on, no host
// has as few as the least any more; that is within the first round, since the skew
// never keeps pods from the least. So many of the simulated nodes have the least; if
// some of them take no pod it cannot grow, and there is no end.
func (w *rounds) untilLeastGrows(start, least, nodes int) (until int, grows bool) {
	served := 0
	w.around(start, func(o *openRun, from, to int) bool {
		served += to - from
		if int(o.count) == least {
			until = served
			nodes -= to - from
		}
		return true
	})
	return until, nodes == 0
}
