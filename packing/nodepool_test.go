package packing_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing"
	"github.com/binwright/binwright/packing/requirements"
)

// fullPool has every field that the type models, as kubectl prints it.
const fullPool = `{
  "kind": "NodePool",
  "apiVersion": "karpenter.sh/v1",
  "metadata": {"name": "general", "uid": "1"},
  "spec": {
    "template": {
      "metadata": {"labels": {"team": "web"}, "annotations": {"note": "x"}},
      "spec": {
        "taints": [{"key": "dedicated", "value": "web", "effect": "NoSchedule"}],
        "startupTaints": [{"key": "boot", "effect": "NoExecute"}],
        "requirements": [
          {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot", "on-demand"]},
          {"key": "node.kubernetes.io/instance-type", "operator": "Exists", "minValues": 5},
          {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["3"]}
        ],
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
        "terminationGracePeriod": "30m0s",
        "expireAfter": "720h0m0s"
      }
    },
    "disruption": {
      "consolidateAfter": "Never",
      "consolidationPolicy": "WhenEmpty",
      "budgets": [{"reasons": ["Empty"], "nodes": "10%", "schedule": "0 9 * * 1-5", "duration": "8h0m0s"}]
    },
    "limits": {"cpu": "1k", "memory": "4Ti"},
    "weight": 10,
    "replicas": 3
  }
}`

func TestNodePoolRoundTrip(t *testing.T) {
	pool := &packing.NodePool{}
	require.NoError(t, json.Unmarshal([]byte(fullPool), pool))

	require.Equal(t, "general", pool.Name)
	require.Equal(t, "web", pool.Spec.Template.Labels["team"])
	spec := &pool.Spec.Template.Spec
	require.Equal(t, "dedicated", spec.Taints[0].Key)
	require.Equal(t, corev1.TaintEffectNoExecute, spec.StartupTaints[0].Effect)
	require.Equal(t, 5, *spec.Requirements[1].MinValues)
	require.Equal(t, "EC2NodeClass", spec.NodeClassRef.Kind)
	require.Equal(t, 30*time.Minute, spec.TerminationGracePeriod.Duration)
	require.Equal(t, packing.NillableDuration{Duration: 720 * time.Hour}, spec.ExpireAfter)
	require.Equal(t, packing.NillableDuration{Never: true}, pool.Spec.Disruption.ConsolidateAfter)
	require.Equal(t, "10%", pool.Spec.Disruption.Budgets[0].Nodes)
	require.Equal(t, 8*time.Hour, pool.Spec.Disruption.Budgets[0].Duration.Duration)
	require.EqualValues(t, 1000, pool.Spec.Limits.Cpu().Value())
	require.EqualValues(t, 10, *pool.Spec.Weight)
	require.EqualValues(t, 3, *pool.Spec.Replicas)

	text, err := json.Marshal(pool)
	require.NoError(t, err)
	require.JSONEq(t, fullPool, string(text), "nothing is lost and nothing added")
}

func TestNillableDuration(t *testing.T) {
	for _, c := range []struct {
		in   string
		want packing.NillableDuration
		out  string
	}{
		{`"Never"`, packing.NillableDuration{Never: true}, `"Never"`},
		{`"720h"`, packing.NillableDuration{Duration: 720 * time.Hour}, `"720h0m0s"`},
		{`"1h30m"`, packing.NillableDuration{Duration: 90 * time.Minute}, `"1h30m0s"`},
		{`"0s"`, packing.NillableDuration{}, `"0s"`},
		{`""`, packing.NillableDuration{}, `"0s"`},
		{`null`, packing.NillableDuration{}, `"0s"`},
	} {
		got := packing.NillableDuration{Never: true, Duration: 7} // what was there goes
		require.NoError(t, json.Unmarshal([]byte(c.in), &got), c.in)
		require.Equal(t, c.want, got, c.in)
		text, err := json.Marshal(got)
		require.NoError(t, err)
		require.Equal(t, c.out, string(text))
	}
	for in, says := range map[string]string{
		`"never"`: `duration "never": neither`, // as the original, which is case-sensitive
		`"5"`:     `duration "5"`,
		`"-1h"`:   `duration "-1h" is negative`,
		`30`:      `duration 30: it is written as a string`,
		`{}`:      `duration {}`,
	} {
		var got packing.NillableDuration
		require.ErrorContains(t, json.Unmarshal([]byte(in), &got), says)
	}
	text, err := json.Marshal(packing.NodePoolSpec{})
	require.NoError(t, err)
	require.NotContains(t, string(text), "consolidateAfter", "what is not set is not written")
}

func TestNodePoolRequirements(t *testing.T) {
	pool := &packing.NodePool{}
	require.NoError(t, json.Unmarshal([]byte(fullPool), pool))
	reqs, err := pool.Requirements()
	require.NoError(t, err)
	require.Equal(t, "karpenter.k8s.aws/instance-cpu Exists >=4, karpenter.sh/capacity-type In [on-demand spot], "+
		"node.kubernetes.io/instance-type Exists minValues 5, team In [web]", reqs.String())

	pool.Spec.Template.Spec.Requirements = []packing.NodePoolExpression{
		{Key: "a", Operator: requirements.Exists},
		{Key: "b", Operator: "Near"},
	}
	_, err = pool.Requirements()
	require.ErrorIs(t, err, requirements.ErrOperator)
	require.ErrorContains(t, err, "spec.template.spec.requirements[1]: b")

	none, err := (&packing.NodePool{}).Requirements()
	require.NoError(t, err)
	require.Empty(t, none)
}
