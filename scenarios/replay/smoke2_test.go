package replay

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/binwright/binwright/scenarios"
)

func TestSmokeTrace(t *testing.T) {
	if os.Getenv("SMOKE") == "" {
		t.Skip()
	}
	s, err := scenarios.Load("../../../shared/traces/openb_pod_list_default.csv")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []Autoscaler{Karpenter(), ClusterAutoscaler()} {
		if w := os.Getenv("AS"); w != "" && w != a.Name {
			continue
		}
		set := DefaultSettings("aws")
		set.Step = 0
		if d, err := time.ParseDuration(os.Getenv("FOR")); err == nil {
			set.For = d
		}
		last := time.Now()
		set.Progress = func(p, q time.Duration) {
			if time.Since(last) > 4*time.Second {
				last = time.Now()
				fmt.Println("  at", p, q)
			}
		}
		r, err := Run(context.Background(), s, a, set)
		if err != nil {
			t.Error(err)
		}
		fmt.Println(a.Name, r.WallSeconds, r.Cost.TotalUSD, r.Pods, r.Nodes, r.Wait)
		fmt.Println(r.Decisions)
	}
}
