// Package pricing says what instance types cost to one who does not pay the
// list price, and what a fleet of nodes costs in all.
//
// A [Book] lays discounts, commitments and a user's own table over the prices of
// a catalog. [Book.Apply] returns the catalog at those prices, so that engines
// decide on them and not only reports show them. A [Bill] adds up what nodes
// cost and splits it by type, zone, capacity type and owner; its sums do not
// depend on the order of its lines. A [Commitment] is paid for whether it is used
// or not, which only a bill over time can tell: see scenarios/replay.
//
// All prices are in US dollars an hour; a month has [HoursPerMonth] hours.
package pricing
