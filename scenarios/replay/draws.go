package replay

import (
	"hash/fnv"
	"math/rand/v2"
)

// draws returns a generator for one purpose of a replay. What is drawn for one
// purpose does not depend on what is drawn for others, so that two autoscalers on
// the same seed meet the same luck where they ask the same question.
func draws(seed uint64, purpose string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(purpose))
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
