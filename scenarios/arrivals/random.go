package arrivals

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// NewRand returns the random stream of a purpose: a PCG whose state is a hash of
// seed and name, so that streams of other names or neighbouring seeds share nothing.
func NewRand(seed uint64, name string) *rand.Rand {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), name...))
	return rand.New(rand.NewPCG(binary.LittleEndian.Uint64(sum[:8]), binary.LittleEndian.Uint64(sum[8:16])))
}

// appendUID appends a random UUID of version 4.
func appendUID(b []byte, r *rand.Rand) []byte {
	const digits = "0123456789abcdef"
	words := [2]uint64{r.Uint64()&^0xf000 | 0x4000, r.Uint64()&^(0b11<<62) | 0b10<<62}
	for i := range 32 {
		if i == 8 || i == 12 || i == 16 || i == 20 {
			b = append(b, '-')
		}
		word := &words[i/16]
		b = append(b, digits[*word>>60])
		*word <<= 4
	}
	return b
}
