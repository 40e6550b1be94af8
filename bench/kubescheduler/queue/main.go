// Queue plays scripts of pods and nodes on the queue of kube-scheduler 1.35.0 itself and writes them to the standard output, with
// when each pod was bound and how often it was tried: scenarios/replay/testdata/queue.json.
package main

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sort"
	"strings"
	"time"

	"k8s.io/kubernetes/pkg/scheduler/metrics"
)

// script says when pods of 1 CPU and nodes come. Times are in nanoseconds from its beginning on.
type script struct {
	name  string
	begin string // RFC 3339
	lasts int64
	pods  []podLine
	nodes []nodeLine
}

type podLine struct {
	created  int64
	priority int32
	runs     int64

	bound    int64 // -1: never
	attempts int
}

type nodeLine struct{ joined, ready, cpus int64 }

func main() {
	metrics.Register()
	scripts := []*script{
		arrivals("trickle", "2026-01-05T00:00:00Z", 1, 8, 2*time.Second, time.Hour, 1, 4, false),
		arrivals("trickle that starts within a second", "2026-01-05T00:00:00.4Z", 2, 8, 3*time.Second, time.Hour, 1, 6, true),
		arrivals("pods end", "2026-01-05T00:00:00Z", 3, 8, 3*time.Second, 2*time.Minute, 1, 3, true),
		arrivals("priorities", "2026-01-05T00:00:00Z", 4, 8, 3*time.Second, 3*time.Minute, 3, 3, true),
		arrivals("slow", "2026-01-05T00:00:00Z", 5, 60, 45*time.Second, time.Hour, 2, 1, true),
		quiet(),
	}
	texts := make([]string, len(scripts))
	for i, s := range scripts {
		if err := play(s); err != nil {
			fmt.Fprintf(os.Stderr, "queue: script %s: %v\n", s.name, err)
			os.Exit(1)
		}
		texts[i] = s.text()
	}
	fmt.Printf("[\n%s\n]\n", strings.Join(texts, ",\n"))
}

// arrivals makes a script of so many minutes: pods at a rate, their priorities below a bound, and for every few of
// them, perNode at most, a node that comes about half a minute later. Early: one small node is there from the start.
func arrivals(name, begin string, seed uint64, minutes int, every, runs time.Duration, priorities int32, perNode int, early bool) *script {
	r := rand.New(rand.NewPCG(seed, 7))
	s := &script{name: name, begin: begin, lasts: int64(time.Duration(minutes) * time.Minute)}
	// No two moments are the same: each is somewhere within its millisecond.
	moment := func(seconds float64) int64 { return int64(seconds*1e3)*1e6 + r.Int64N(1e6) }
	at, room := 0.0, 0
	if early {
		s.nodes = append(s.nodes, nodeLine{moment(0.001), moment(0.01), 2})
	}
	for {
		at += r.ExpFloat64() * every.Seconds()
		if at > float64(minutes*60-60) {
			break
		}
		p := podLine{created: moment(at), runs: moment(runs.Seconds() * (0.5 + r.Float64()))}
		if priorities > 1 {
			p.priority = r.Int32N(priorities)
		}
		s.pods = append(s.pods, p)
		if room == 0 {
			room = 1 + r.IntN(perNode)
			joined := at + 1 + 25 + 10*r.Float64()
			s.nodes = append(s.nodes, nodeLine{moment(joined), moment(joined + 5 + 20*r.Float64()), int64(room)})
		}
		room--
	}
	sort.Slice(s.nodes, func(i, j int) bool { return s.nodes[i].joined < s.nodes[j].joined })
	return s
}

// quiet has nothing happen for long: pods are tried again every five minutes or so.
func quiet() *script {
	s := &script{name: "quiet", begin: "2026-01-05T00:00:00.7Z", lasts: int64(20 * time.Minute), nodes: []nodeLine{{5e6, 20e6, 1}}}
	for i := range int64(6) {
		s.pods = append(s.pods, podLine{created: 30e6 + i*33_123_456_789, runs: int64(time.Hour)})
	}
	return s
}

// text is a script as JSON, a line for each pod and node.
func (s *script) text() string {
	nodes, pods := make([]string, len(s.nodes)), make([]string, len(s.pods))
	for i, n := range s.nodes {
		nodes[i] = fmt.Sprintf("[%d,%d,%d]", n.joined, n.ready, n.cpus)
	}
	for i, p := range s.pods {
		pods[i] = fmt.Sprintf("[%d,%d,%d,%d,%d]", p.created, p.priority, p.runs, p.bound, p.attempts)
	}
	return fmt.Sprintf("{\"name\": %q, \"begin\": %q, \"for\": %d,\n\"nodes\": [%s],\n\"pods\": [%s]}",
		s.name, s.begin, s.lasts, strings.Join(nodes, ",\n"), strings.Join(pods, ",\n"))
}
