// Package karpenter decides as Karpenter v1.14.1's scheduler decides
// (sigs.k8s.io/karpenter, pkg/controllers/provisioning/scheduling), pod by pod and
// node by node, only far faster.
//
// A [Packer] is made once for a catalog and node pools. [Packer.Pack] takes the
// pods of a snapshot in Karpenter's order and puts each on the first existing node
// that takes it, else on the first node claim opened before, those with the
// fewest pods first, else on a new claim of the first node pool that can launch
// one. Price decides only in the end, which instance type a claim becomes.
// [Packer.Explain] does the same and says why.
//
// # Exactness
//
// Where the original always decides the same, so does this package, to the last
// instance type and requirement; recorded decisions and random problems beside the
// real Karpenter show it (bench/conformance, bench/upstream). Where the original
// lets Go's map order decide, the lexicographically smallest choice is taken, which
// the original could have made too. Peculiarities of the original are reproduced;
// those that may surprise have a name in [Quirks] by which they can be switched off.
//
// # Speed
//
// What a decision reads is turned into numbers first: sets of requirements are
// numbered and combined once for each pair, instance types are bits, alike pods are
// one class and alike requests one demand. A class keeps the hosts that may still
// take its pods in heaps, one for each set of requirements, so that neither full
// hosts nor those in the wrong zone are asked again and again; and the order in
// which Karpenter's unstable sort leaves its claims is known without sorting. A
// Packer keeps what it learnt about its catalog for the next pack.
//
// # Packing again after a small change
//
// A controller asks again and again about a cluster that has changed little. Call one
// Packer for all of it, and hand in what has not changed as the same objects, the
// packing.Node of each node too. An object that changed is a new one: a corev1.Node with
// another label, a claim in another state. A packing.Node may keep its address: its fields
// are looked at, and its pods one by one, so that the list may use the same memory again. The
// Packer knows nodes by address, pods of one controller by the slices and maps that they
// share (containers, labels, affinity), and volumes, namespaces and daemon sets as long as
// the lists hold the same objects, and compiles only what it does not know. That
// decides nothing: a Packer that has seen a cluster before decides as one that has not.
//
// What is known of a node is forgotten some packs after it was last there; each pack that
// runs at the same time as others has a memory of its own. BenchmarkRepack measures it: of
// 1,000 nodes with 30,000 pods 20 have changed.
//
// # Consolidation
//
// [Packer.Consolidate] says what Karpenter's disruption controller
// (pkg/controllers/disruption) would do at the snapshot's moment to make the cluster
// cheaper: what emptiness, multi-node and single-node consolidation each find, of
// which Karpenter executes the first; what it saves; and why every other node stays
// ([Consolidation.Stays]). [Packer.Converge] executes command after command until
// nothing is left to do. [Command.Plan] makes a plan of a command, for
// packing.Verify or any other judge.
//
// Exact are the candidates and what blocks or excludes each, budgets by reason and
// schedule, prices, costs and savings ratios, the simulations, the filters by price,
// minValues and own type, the rules for spot, and the scores of the policy Balanced.
// All of it reads the state of a NodeClaim where the snapshot has it
// (packing.NodeClaim); a node without counts as consolidatable once initialized.
//
// The original leaves three things to chance, by Go's map order and an unstable
// sort: the order of candidates with equal savings ratios (here: by name), whose turn
// is first among node pools in single-node consolidation (here: the pool of the best
// candidate), and what the scheduler leaves to chance in each simulation (here: as
// [Packer.Pack]). Any of these can decide which of several equal nodes goes.
//
// [Packer.Disrupt] is one pass of the controller: it stops at the first command, within
// limits that stand for the controller's time-outs and for what it remembers of earlier
// passes, and says how much work that was. It does not say why other nodes stay, and so it passes over candidates
// without a simulation where it is plain that nothing would come of one: their pods, placed one by one on the nodes that
// stay, leave some over for which a new node would be no cheaper. [Packer.Validate] is what the controller repeats
// 15 seconds later, before it executes the command. Waiting pods that nodes being deleted
// list as well come with those nodes.
//
// Drift, static pools, expiry and capacity buffers are not modelled. In a sequence the clock stands still,
// PodDisruptionBudgets keep the status that they have, a replacement becomes its
// cheapest offering, and pods go where the simulation put them, where kube-scheduler
// might choose another node.
//
// # What is not modelled
//
// Dynamic resource allocation (pods with resource claims are refused with
// packing.NotSupported), node overlays, capacity buffers, and the time-out of a
// minute after which the original launches what it has. Pods of the snapshot are
// taken to have passed the provisioner's checks of restricted labels. Pods on nodes
// that are being deleted are scheduled if they are among the snapshot's pods, where
// Karpenter would put them.
package karpenter
