// Package compare runs packers on one scenario and says what differs: nodes,
// pods placed and left, cost, utilisation, decision time and the mix of instance
// types, as an aligned table, as JSON or as CSV.
//
// # What the figures are
//
//   - Nodes are the nodes that the plan launches; existing nodes that take pods
//     are counted apart. Cost is that of the launched nodes alone, in US dollars
//     an hour, and a month of 730 hours.
//   - Utilisation is requests over allocatable, summed over launched nodes.
//     Requests are those of the pods placed there and of the daemon pods that run
//     on each node. Allocatable is what the packer's plan says of its nodes; where
//     a node group's template promises more than its instance type has, the nodes
//     that are over the type's own allocatable are counted in Overcommitted.
//   - Decision time is the median wall-clock time of one call of Pack. Reading the
//     scenario and building the packer are not in it; the latter is in SetupSeconds.
//   - Verified says that [packing.Verify] finds nothing wrong with the plan, that
//     no pod is lost, and that every run gave the same plan. Rules that the
//     engine's original itself breaks are told apart, as Deviations.
//
// Everything but the times is a function of the scenario and the engines: the
// same input gives the same bytes.
package compare
