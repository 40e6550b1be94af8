// Package arrivals is what the users of a cluster do over time: they submit
// pods, scale Deployments, load them, and roll out new versions.
//
// What they do is a [Stream] of events in order of time. A stream makes each
// event when it is asked for the next, so that memory does not grow with the
// number of events: a week of half a million pods takes no more than an hour of
// a few. Every random stream draws from a generator of its own, seeded from a
// seed and the stream's name; the same two give the same events, whatever other
// streams there are. [Merge] makes one stream of several.
//
// A stream is used by one goroutine and read once.
package arrivals
