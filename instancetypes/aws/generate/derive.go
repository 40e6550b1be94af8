package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Types that are priced but described nowhere are derived from the rules by
// which AWS builds a family. Against the reference page that corrections.go
// names, every label and every resource comes out right for all of them but the
// bandwidth to EBS, which no rule tells and which stays unknown.

var sizePattern = regexp.MustCompile(`^(?:metal-)?(\d+)x(?:large|l)$`)

// sizeVCPU returns the vCPUs that a size stands for: medium 1, large 2, xlarge 4,
// Nxlarge and metal-Nxl 4N.
func sizeVCPU(size string) (int, bool) {
	switch size {
	case "medium":
		return 1, true
	case "large":
		return 2, true
	case "xlarge":
		return 4, true
	}
	m := sizePattern.FindStringSubmatch(size)
	if m == nil {
		return 0, false
	}
	n, err := strconv.Atoi(m[1])
	return 4 * n, err == nil && n > 0
}

// bareMetal reports whether a name is that of a whole machine.
func bareMetal(name string) bool { return strings.HasPrefix(size(name), "metal") }

var familyPattern = regexp.MustCompile(`^([a-z]+)(\d+)([a-z]*)`)

// memoryPerVCPU returns MiB for one vCPU by the category of the family, with
// the families and sizes that do otherwise.
func memoryPerVCPU(name string) (float64, bool) {
	const gib = 1024
	switch family(name) {
	case "p5":
		return 16 * gib, true
	case "p6-b200":
		return 2048.0 / 192 * gib, true
	case "p6-b300":
		return 4096.0 / 192 * gib, true
	case "gr6f":
		return 8 * gib, true
	case "g7e":
		if vcpu, _ := sizeVCPU(size(name)); vcpu > 32 {
			return 32.0 / 3 * gib, true
		}
		return 8 * gib, true
	case "hpc8a":
		return 4 * gib, true
	}
	m := familyPattern.FindStringSubmatch(name)
	if m == nil {
		return 0, false
	}
	perVCPU := map[string]float64{"c": 2, "m": 4, "r": 8, "i": 8, "x": 16, "g": 4}[m[1]]
	return perVCPU * gib, perVCPU > 0
}

// derivedSpec works a specification out of the type's name, its network limits
// or those of a sibling, and the local disks of its class.
func derivedSpec(name string, t *tables) (spec, error) {
	vcpu, ok := sizeVCPU(size(name))
	if name == "hpc8a.96xlarge" { // one thread a core
		vcpu = 192
	}
	perVCPU, found := memoryPerVCPU(name)
	m := familyPattern.FindStringSubmatch(name)
	if !ok || !found || m == nil {
		return spec{}, fmt.Errorf("%s: no rule tells its size", name)
	}
	s := spec{
		name: name, derived: true,
		vcpu: vcpu, memoryMiB: int(perVCPU*float64(vcpu) + 0.5),
		arch: "amd64", cpuMaker: "intel",
		encrypts:    true, // as every family of its generation
		gpu:         derivedGPU(name),
		nvmeGB:      derivedNVMe(name, vcpu),
		networkMbps: t.bandwidth[name],
	}
	switch {
	case strings.HasPrefix(m[3], "g"):
		s.arch, s.cpuMaker = "arm64", "aws"
	case strings.HasPrefix(m[3], "a"), family(name) == "g6f", family(name) == "gr6f", family(name) == "p5":
		s.cpuMaker = "amd"
	}
	if s.eni, ok = derivedLimits(name, vcpu, t); !ok {
		return spec{}, fmt.Errorf("%s: no sibling tells its network interfaces", name)
	}
	s.hypervisor = s.eni.hypervisor
	s.clockMHz = derivedClock(m[1], m[2], m[3], vcpu)
	s.correct()
	return s, nil
}

// derivedClock returns the sustained clock speed in MHz of the processor that the
// family's generation and variant stand for.
func derivedClock(category, generation, variant string, vcpu int) int {
	switch {
	case strings.HasPrefix(variant, "az"):
		return 5000 // the fastest EPYC
	case strings.HasPrefix(variant, "a"):
		return 4500 // EPYC of the fifth generation
	case strings.HasPrefix(variant, "g") && generation == "8" && vcpu == 192:
		return 2700 // two Graviton4 joined
	case strings.HasPrefix(variant, "g"):
		return 2800 // Graviton4 and 5
	case category == "g" && generation == "6", category == "gr":
		return 3400 // EPYC of the third generation
	case strings.HasPrefix(variant, "i") && generation == "8":
		return 3900 // Granite Rapids
	default:
		return 2400 // Emerald Rapids
	}
}

// derivedLimits returns the network interfaces of a type, or of the one of its
// size, or of as many vCPUs, in its own family, in the same generation of
// another category (c9g has those of m9g), or in a family before. Whether it
// can trunk is then unknown and taken as no.
func derivedLimits(name string, vcpu int, t *tables) (limits, bool) {
	if l, ok := t.limits[name]; ok {
		return l, true
	}
	if l, ok := unlistedLimits[name]; ok {
		return l, true
	}
	f := family(name)
	candidates := []string{f}
	if rest, ok := strings.CutPrefix(f, category(f)); ok {
		candidates = append(candidates, "m"+rest, "r"+rest, "c"+rest)
	}
	for _, candidate := range append(candidates, predecessors(f)...) {
		for _, sibling := range []string{size(name), virtualSize(vcpu)} {
			if l, ok := t.limits[candidate+"."+sibling]; ok {
				l.branchInterfaces = 0
				if bareMetal(name) {
					l.hypervisor = ""
				}
				return l, true
			}
		}
	}
	return limits{}, false
}

// virtualSize is the size of as many vCPUs that is no whole machine.
func virtualSize(vcpu int) string {
	switch {
	case vcpu == 1:
		return "medium"
	case vcpu == 2:
		return "large"
	case vcpu == 4:
		return "xlarge"
	default:
		return strconv.Itoa(vcpu/4) + "xlarge"
	}
}

// derivedGPU returns the GPUs of the families that have them. A share of one is
// counted as 0, as the EC2 API does.
func derivedGPU(name string) gpu {
	switch family(name) {
	case "g6f", "gr6f":
		memory := map[string]int{"large": 2861, "xlarge": 2861, "2xlarge": 5722, "4xlarge": 11444}[size(name)]
		return gpu{model: "l4", maker: "nvidia", memoryMiB: memory}
	case "g7e":
		count := map[string]int{"12xlarge": 2, "24xlarge": 4, "48xlarge": 8}[size(name)]
		return gpu{model: "rtx-pro-server-6000", maker: "nvidia", count: max(1, count), memoryMiB: 98304}
	case "p5":
		return gpu{model: "h100", maker: "nvidia", count: 1, memoryMiB: 81920}
	case "p6-b200":
		return gpu{model: "b200", maker: "nvidia", count: 8, memoryMiB: 183359}
	case "p6-b300":
		return gpu{model: "b300", maker: "nvidia", count: 8, memoryMiB: 275040}
	}
	return gpu{}
}

// Local NVMe disks in GB by vCPU: of the families with a d, of i7i and i8g, and
// of the denser i7ie and i8ge. Whole machines have the disks of as many vCPUs.
var (
	attachedNVMe = map[int]int{1: 59, 2: 118, 4: 237, 8: 474, 16: 950, 32: 1900, 48: 2850, 64: 3800, 96: 5700,
		128: 7600, 192: 11400, 384: 22800}
	storageNVMe = map[int]int{2: 468, 4: 937, 8: 1875, 16: 3750, 32: 7500, 48: 11250, 64: 15000, 96: 22500, 192: 45000}
	denseNVMe   = map[int]int{2: 1250, 4: 2500, 8: 5000, 12: 7500, 24: 15000, 48: 30000, 72: 45000, 96: 60000, 192: 120000}
	fractional  = map[int]int{2: 100, 4: 100, 8: 200, 16: 450}
	g7eNVMe     = map[int]int{8: 1900, 16: 1900, 32: 1900, 48: 3800, 96: 7600, 192: 15200}
)

func derivedNVMe(name string, vcpu int) int {
	switch f := family(name); f {
	case "i7i", "i8g":
		return storageNVMe[vcpu]
	case "i8ge":
		return denseNVMe[vcpu]
	case "g6f", "gr6f":
		return fractional[vcpu]
	case "g7e":
		return g7eNVMe[vcpu]
	case "p5":
		return 3800
	case "p6-b200", "p6-b300":
		return 30400
	default:
		if m := familyPattern.FindStringSubmatch(f); m != nil && strings.Contains(m[3], "d") {
			return attachedNVMe[vcpu]
		}
		return 0
	}
}

// predecessors are the families whose regional prices and limits a new family
// follows, the nearest first.
func predecessors(family string) []string {
	flex := strings.HasSuffix(family, "-flex")
	m := familyPattern.FindStringSubmatch(family)
	if m == nil {
		return nil
	}
	category, generation, variant := m[1], m[2], m[3]
	switch family {
	case "g6f":
		return []string{"g6"}
	case "gr6f":
		return []string{"gr6", "g6"}
	case "g7e":
		return []string{"g6e", "g6"}
	case "p6-b200", "p6-b300":
		return []string{"p5en", "p5"}
	case "i7i":
		return []string{"i4i"}
	case "i8ge":
		return []string{"i7ie", "i3en"}
	case "x8i":
		return []string{"x2idn", "x2iedn"}
	case "m8azn":
		return []string{"m5zn"}
	case "hpc8a":
		return []string{"hpc7a"}
	}
	if flex {
		return []string{category + "7i-flex", category + "7i"}
	}
	switch {
	case generation == "9":
		return []string{category + "8" + variant, category + "7" + variant}
	case variant == "i" || variant == "a":
		return []string{category + "7" + variant}
	case variant == "gn" || variant == "gb":
		return []string{category + "8g", category + "7gn", category + "7g"}
	case strings.HasPrefix(variant, "id"):
		return []string{category + "6id", category + "6idn", category + "7i"}
	case strings.HasPrefix(variant, "i"):
		return []string{category + "6in", category + "7i"}
	}
	return []string{family}
}
