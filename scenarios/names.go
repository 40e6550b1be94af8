package scenarios

import (
	"crypto/sha1"
	"encoding/hex"
	"hash/fnv"
	"strconv"

	"k8s.io/apimachinery/pkg/types"
)

// What a cluster makes up at random is derived from names here, so that the
// same input gives the same objects.

// uidFor returns the UID of an object that has none: a version 5 UUID in form,
// of its kind and name (SHA-1 serves identity here, not security).
func uidFor(kind, namespace, name string) types.UID {
	var short [192]byte
	text := append(short[:0], kind...)
	text = append(append(text, 0), namespace...)
	text = append(append(text, 0), name...)
	sum := sha1.Sum(text)
	sum[6] = sum[6]&0x0f | 0x50
	sum[8] = sum[8]&0x3f | 0x80
	var b [36]byte
	hex.Encode(b[0:8], sum[0:4])
	hex.Encode(b[9:13], sum[4:6])
	hex.Encode(b[14:18], sum[6:8])
	hex.Encode(b[19:23], sum[8:10])
	hex.Encode(b[24:36], sum[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return types.UID(b[:])
}

// suffixLetters are those of which Kubernetes makes name suffixes: no vowels and
// no digits that look like letters (k8s.io/apimachinery/pkg/util/rand).
const suffixLetters = "bcdfghjklmnpqrstvwxz2456789"

// suffixCount is the number of suffixes of five letters.
const suffixCount = 27 * 27 * 27 * 27 * 27

// podSuffix returns the five letters after the name of a controller's i-th pod.
// They look random and are distinct for the first 14 million pods of an owner:
// i walks through all suffixes by a step that shares no factor with their number.
func podSuffix(owner string, i int) string {
	const step = 9_058_901 // not divisible by 3, the only prime factor of 27^5
	n := (uint64(fnvOf(owner)) + uint64(i)*step) % suffixCount
	var b [5]byte
	for k := range b {
		b[k] = suffixLetters[n%27]
		n /= 27
	}
	return string(b[:])
}

// templateHash returns what stands for the hash of a pod template in the name of
// a ReplicaSet and in the label pod-template-hash. The letters are in the form
// of the original's, which hashes its own in-memory types.
func templateHash(template []byte) string {
	h := fnv.New32a()
	h.Write(template)
	digits := strconv.FormatUint(uint64(h.Sum32()), 10)
	b := make([]byte, len(digits))
	for i := range digits {
		b[i] = suffixLetters[int(digits[i])%len(suffixLetters)]
	}
	return string(b)
}

func fnvOf(s string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(s))
	return h.Sum32()
}
