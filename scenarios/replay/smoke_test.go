package replay

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/binwright/binwright/scenarios"
)

func TestSmoke(t *testing.T) {
	if os.Getenv("SMOKE") == "" {
		t.Skip()
	}
	s, err := scenarios.Named("day")
	if err != nil {
		t.Fatal(err)
	}
	var all []*Result
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		if w := os.Getenv("AS"); w != "" && w != a.Name {
			continue
		}
		set := DefaultSettings("aws")
		if d, err := time.ParseDuration(os.Getenv("FOR")); err == nil {
			set.For = d
		}
		set.Referee = os.Getenv("REF") != ""
		last := time.Now()
		set.Progress = func(p, q time.Duration) {
			if time.Since(last) > 4*time.Second {
				last = time.Now()
				fmt.Println("  at", p)
			}
		}
		r, err := Run(context.Background(), s, a, set)
		if err != nil {
			t.Error(err)
		}
		fmt.Println(a.Name, r.WallSeconds)
		all = append(all, r)
	}
	if err := WriteTable(os.Stdout, all...); err != nil {
		t.Error(err)
	}
	for _, r := range all {
		fmt.Println(r.Decisions)
	}
}
