package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/scenarios/replay"
)

// effect is a prediction whose effect has an interval, of which 5% is asked.
func effect(low, high float64) prediction {
	return prediction{effect: replay.Estimate{Mean: (low + high) / 2, Low: low, High: high, N: 10}, least: enough, form: percent}
}

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		low, high float64
		want      answer
	}{
		{0.06, 0.20, holds},
		{0.05, 0.05, holds}, // what is asked is enough, and no chance is in it
		{0.04, 0.20, unclear},
		{-0.10, 0.06, unclear},
		{0.01, 0.04, fails}, // ahead for certain, by less than counts
		{-0.30, -0.10, fails},
		{math.NaN(), math.NaN(), unclear}, // of one seed
	} {
		p := effect(c.low, c.high)
		assert.Equal(t, c.want, p.answer(), "from %v to %v", c.low, c.high)
	}
}

func TestVerdicts(t *testing.T) {
	yes, no, perhaps := effect(0.1, 0.2), effect(-0.2, -0.1), effect(-0.1, 0.2)
	for _, c := range []struct {
		predictions []prediction
		want        verdict
	}{
		{nil, notTestable},
		{[]prediction{yes, yes}, supported},
		{[]prediction{no, no}, contradicted},
		{[]prediction{yes, no}, inPart},
		{[]prediction{yes, perhaps}, inPart},
		{[]prediction{no, perhaps}, undecided},
		{[]prediction{perhaps}, undecided},
	} {
		assert.Equal(t, c.want, judge(c.predictions))
	}
}

// Effects are paired seed by seed and positive where Karpenter is ahead.
func TestEffects(t *testing.T) {
	at := func(costs ...float64) []outcome {
		var all []outcome
		for _, usd := range costs {
			all = append(all, outcome{Result: &replay.Result{Cost: replay.Cost{TotalUSD: usd}}})
		}
		return all
	}
	assert.Equal(t, []float64{0.5, 0.5}, savings(cost, at(1, 10), at(2, 20)))
	assert.Equal(t, []float64{-1, 0}, differences(cost, at(1, 10), at(2, 10)))
	assert.Equal(t, []float64{0, -1}, savings(cost, at(0, 3), at(0, 0)), "of nothing")
	assert.Equal(t, 1, cheapest([][]outcome{at(4, 4), at(1, 2), at(3, 1)}))
	p := lower("", cost, at(1, 10), at(2, 20))
	assert.Equal(t, holds, p.answer())
	p = lower("", cost, at(2, 20), at(1, 10))
	assert.Equal(t, fails, p.answer())
}

func TestReproductions(t *testing.T) {
	found := func(low, high float64) replay.Estimate { return replay.Estimate{Low: low, High: high, N: 10} }
	for _, c := range []struct {
		found     replay.Estimate
		tolerance float64
		want      string
	}{
		{found(90, 110), 0, "reproduced"},
		{found(210, 220), 0, "contradicted: more is found"},
		{found(210, 220), 0.1, "reproduced"},
		{found(50, 80), 0.1, "contradicted: less is found"},
		{single(150), 0, "reproduced"},
		{single(201), 0, "contradicted: more is found"},
	} {
		r := reproduction{low: 100, high: 200, found: c.found, tolerance: c.tolerance}
		assert.Equal(t, c.want, r.outcome(), "%+v", c)
	}
}

// Each value of what is written counts once, whatever the style.
func TestCountOfFields(t *testing.T) {
	var k, c written
	require.NoError(t, count([]byte("kind: Scenario\nspec: {nodeGroups: [{name: a, zones: [x, y]}], clusterAutoscaler: {expander: random}, karpenter: {batchIdleDuration: 2s}, timeline: {for: 1h}}"), &k, &c))
	require.NoError(t, count([]byte("kind: NodePool\nmetadata: {name: p}\nspec:\n  weight: 3\n  limits:\n    cpu: 4\n"), &k, &c))
	require.NoError(t, count([]byte("kind: Deployment\nspec: {replicas: 3}"), &k, &c))
	assert.Equal(t, written{fields: 4, lines: 4}, k)
	assert.Equal(t, written{fields: 4, lines: 5}, c)
}

func TestBadUsage(t *testing.T) {
	for _, args := range [][]string{{"-seeds", "1"}, {"-seeds", "x"}, {"-nonsense"}, {"surplus"}} {
		var out, errs bytes.Buffer
		assert.Equal(t, 2, run(context.Background(), args, &out, &errs), args)
		assert.Empty(t, out.String())
		assert.NotEmpty(t, errs.String())
	}
}

// An interrupted run writes nothing.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	file := filepath.Join(t.TempDir(), "claims.md")
	var errs bytes.Buffer
	assert.Equal(t, 130, run(ctx, []string{"-seeds", "2", "-o", file}, &bytes.Buffer{}, &errs))
	assert.NoFileExists(t, file)
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "claims.md"))
	require.NoError(t, err)
	return string(text)
}

// The document is of the seeds that the program has by default, and its verdicts follow from
// the answers in its tables, and the README says how many there are of each.
func TestDocumentAgreesWithItself(t *testing.T) {
	text := document(t)
	assert.Contains(t, text, "Written by `"+(&page{seeds: defaultSeeds}).command()+"`")
	sections := regexp.MustCompile(`(?m)^## (\d)\. (.+): ([a-z ]+)$`).FindAllStringSubmatchIndex(text, -1)
	require.Len(t, sections, 9)
	var p page
	for i, at := range sections {
		end := len(text)
		if i+1 < len(sections) {
			end = sections[i+1][0]
		}
		c := claim{number: i + 1}
		for _, row := range regexp.MustCompile(`(?m)\| (holds|fails|unclear) \|$`).FindAllStringSubmatch(text[at[0]:end], -1) {
			c.predictions = append(c.predictions, map[string]prediction{"holds": effect(1, 1), "fails": effect(0, 0), "unclear": effect(0, 1)}[row[1]])
		}
		title, said := text[at[4]:at[5]], text[at[6]:at[7]]
		assert.Equal(t, string(c.verdict()), said, title)
		assert.Contains(t, text[:sections[0][0]], fmt.Sprintf("| %d | %s | **%s** |", c.number, title, said))
		p.claims = append(p.claims, c)
	}
	assert.Contains(t, text, p.count())
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	said := strings.TrimSuffix(strings.TrimPrefix(p.count(), "Of 9 claims: "), ".")
	assert.Contains(t, strings.Join(strings.Fields(string(readme)), " "), said, "README.md")
}

// What takes no or little time to measure is in the document word for word.
func TestDocumentIsUpToDate(t *testing.T) {
	if testing.Short() {
		t.Skip("replays a burst with each seed")
	}
	text, l := document(t), newLab(defaultSeeds)
	for _, about := range []func(context.Context, *lab) (claim, error){proactive, configuration, integration} {
		c, err := about(context.Background(), l)
		require.NoError(t, err)
		assert.Contains(t, text, textOf(func(out *bufio.Writer) { c.write(out) }), c.title)
	}
	times := decisionTimes()
	assert.Contains(t, text, textOf(times.write))
	f, err := throughput(context.Background(), l)
	require.NoError(t, err)
	one := page{published: []published{f}}
	_, section, _ := strings.Cut(textOf(one.writePublished), "## ")
	assert.Contains(t, text, section)
}

// textOf is what a function writes.
func textOf(write func(*bufio.Writer)) string {
	var text bytes.Buffer
	out := bufio.NewWriter(&text)
	write(out)
	out.Flush()
	return text.String()
}
