// Package compiled turns the words of a snapshot into numbers that engines can
// work with in their inner loops: sets of requirements become small integers
// whose algebra is worked out once for each pair, instance types become
// positions in bitsets, resources become columns of integers.
//
// Nothing here decides anything; and nothing here is safe for concurrent use
// unless it says so.
package compiled
