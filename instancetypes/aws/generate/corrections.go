package main

// What the sources leave out or state otherwise than the EC2 API. The API's
// answers are those that the reference page of karpenter-provider-aws prints
// (website/content/en/preview/reference/instance-types.md at commit 1d927085dd81
// of 2026-08-21, 1,363 types). The page is in no module that could be pinned; but
// for the few figures of this file it serves to check the catalog, not to make it.

// neuronDevices returns the Inferentia or Trainium devices of a type. The source
// labels trn1 Inferentia and counts one device in trn2.
func neuronDevices(name string) accelerator {
	model, cores := "", 0
	switch family(name) {
	case "inf1":
		model, cores = "inferentia", 4
	case "inf2":
		model, cores = "inferentia2", 2
	case "trn1", "trn1n":
		model, cores = "trainium", 2
	case "trn2":
		model, cores = "trainium2", 8
	default:
		return accelerator{}
	}
	count := 1
	switch name {
	case "inf1.6xlarge":
		count = 4
	case "inf2.24xlarge":
		count = 6
	case "inf2.48xlarge":
		count = 12
	case "inf1.24xlarge", "trn1.32xlarge", "trn1n.32xlarge", "trn2.48xlarge":
		count = 16
	}
	return accelerator{model: model, count: count, cores: cores}
}

// gpuMemory is what a GPU can use, in MiB, where it is less than its nominal memory.
var gpuMemory = map[string]int{"a10g": 22888, "l4": 22888, "l40s": 45776}

// unencrypted holds the families that do not encrypt traffic between instances.
var unencrypted = set("a1", "c1", "c3", "c4", "c5", "c5d", "c6g", "c6gd", "cc2", "cr1", "d2", "f1",
	"g2", "g3", "g3s", "g5g", "h1", "hs1", "i2", "i3", "m1", "m2", "m3", "m4", "m5", "m5a", "m5ad", "m5d",
	"m6g", "m6gd", "p2", "p3", "r3", "r4", "r5", "r5a", "r5ad", "r5b", "r5d", "r6g", "r6gd", "t1", "t2",
	"t3", "t3a", "t4g", "x1", "x1e", "x2gd", "z1d")

// ebsOnRequest holds the families that are optimised for EBS only on request:
// the API has no default bandwidth for them.
var ebsOnRequest = set("c1", "c3", "i2", "m1", "m2", "m3", "r3", "g2")

// clockCorrections are sustained clock speeds in MHz by family or type.
var clockCorrections = map[string]int{
	"c5.12xlarge": 3600, "c5.24xlarge": 3600, "c5.metal": 3600, "c5d.12xlarge": 3600, "c5d.24xlarge": 3600,
	"c5d.metal": 3600, "c5n": 3400, "c7g": 2600, "c7gd": 2600, "f2": 3400, "g4ad": 3000, "g5": 3300, "g6": 3400,
	"g6e": 3400, "gr6": 3400, "hpc6a": 3600, "i7ie": 3600, "inf1": 2500, "inf2": 3600, "m4.16xlarge": 2300,
	"m5ad": 2200, "m5ad.8xlarge": 2500, "m5ad.16xlarge": 2500, "m6g": 2500, "m7g": 2600, "m7gd": 2600,
	"m7i-flex": 3200, "p5": 3600, "p5e": 3600, "p5en": 2400, "r5ad": 2200, "r5ad.8xlarge": 2500,
	"r5ad.16xlarge": 2500, "r5n": 3100, "r7g": 2600, "r7gd": 2600, "t2": 2300, "t2.nano": 2400, "t2.micro": 2500,
	"t2.small": 2500, "t3": 2500, "t3a": 2200, "trn2": 3500, "u-6tb1": 2100, "u7i-12tb": 1900, "u7i-6tb": 1900,
	"u7i-8tb": 1900, "u7in-16tb": 1900, "u7in-24tb": 1900, "u7in-32tb": 1900,
	// Graviton4 at 2.8 GHz, but 2.7 where two sockets are joined.
	"c8g": 2800, "c8g.48xlarge": 2700, "c8g.metal-48xl": 2700, "c8gd": 2800, "c8gd.48xlarge": 2700,
	"c8gd.metal-48xl": 2700, "i8g": 2800, "m8g": 2800, "m8g.48xlarge": 2700, "m8g.metal-48xl": 2700,
	"m8gd": 2800, "m8gd.48xlarge": 2700, "m8gd.metal-48xl": 2700, "r8g": 2800, "r8g.48xlarge": 2700,
	"r8g.metal-48xl": 2700, "r8gd": 2800, "r8gd.48xlarge": 2700, "r8gd.metal-48xl": 2700, "x8g": 2800,
	"x8g.48xlarge": 2700, "x8g.metal-48xl": 2700,
}

// ebsCorrections are bandwidths to EBS in Mbit/s by family or type.
var ebsCorrections = map[string]int{
	"hpc6a": 2085, "hpc6id": 2085, "hpc7a": 2085, "p4de": 19000, "p5e": 80000, "trn2": 80000,
	"u7i-12tb": 100000, "u7i-6tb": 100000, "u7i-8tb": 100000,
}

// nvmeCorrections are the local NVMe disks in GB by type.
var nvmeCorrections = map[string]int{
	"hpc6id.32xlarge": 15200, "p4de.24xlarge": 8000, "p5e.48xlarge": 30400, "trn2.48xlarge": 7600,
}

// memoryCorrections are in MiB by type.
var memoryCorrections = map[string]int{"m1.medium": 3788, "r3.large": 15360}

// unlistedLimits are the network interfaces, of the default card, of types that
// neither source has them for (EC2 User Guide, maximum IP addresses per network
// interface).
var unlistedLimits = map[string]limits{
	"cr1.8xlarge": {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"cc2.8xlarge": {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"hs1.8xlarge": {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"g2.2xlarge":  {interfaces: 4, ipv4PerInterface: 15, hypervisor: "xen"},
	"g2.8xlarge":  {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"g3s.xlarge":  {interfaces: 4, ipv4PerInterface: 15, hypervisor: "xen"},
	"g3.4xlarge":  {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"g3.8xlarge":  {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"g3.16xlarge": {interfaces: 15, ipv4PerInterface: 50, hypervisor: "xen"},
	"p2.xlarge":   {interfaces: 4, ipv4PerInterface: 15, hypervisor: "xen"},
	"p2.8xlarge":  {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},
	"p2.16xlarge": {interfaces: 8, ipv4PerInterface: 30, hypervisor: "xen"},

	"hpc6a.48xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc6id.32xlarge": {interfaces: 1, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc7a.12xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc7a.24xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc7a.48xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc7a.96xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"hpc8a.96xlarge":  {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
	"trn2.48xlarge":   {interfaces: 2, ipv4PerInterface: 50, hypervisor: "nitro"},
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}
