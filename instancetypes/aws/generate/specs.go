package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// published is one instance type as data/instances.json states it.
type published struct {
	Name              string              `json:"instance_type"`
	VCPU              int                 `json:"vCPU"`
	MemoryGiB         float64             `json:"memory"`
	Arch              []string            `json:"arch"`
	Processor         string              `json:"physical_processor"`
	Clock             string              `json:"clock_speed_ghz"`
	GPU               float64             `json:"GPU"`
	GPUModel          string              `json:"GPU_model"`
	GPUMemoryGiB      float64             `json:"GPU_memory"`
	EBSOptimized      bool                `json:"ebs_optimized"`
	EBSMaxBandwidth   float64             `json:"ebs_max_bandwidth"` // Mbit/s
	Storage           *storage            `json:"storage"`
	VPC               *vpc                `json:"vpc"`
	AvailabilityZones map[string][]string `json:"availability_zones"`
	Pricing           map[string]struct {
		Linux *linuxPrice `json:"linux"`
	} `json:"pricing"`
}

type storage struct {
	Devices int  `json:"devices"`
	Size    int  `json:"size"` // GB a device
	NVMe    bool `json:"nvme_ssd"`
}

type vpc struct {
	IPs  int `json:"ips_per_eni"`
	ENIs int `json:"max_enis"` // over all network cards
}

type linuxPrice struct {
	OnDemand  string   `json:"ondemand"`
	Savings   *float64 `json:"pct_savings_od"` // percent, a 30-day average; 0 means missing
	Interrupt string   `json:"pct_interrupt"`
}

// readPublished reads the array of instance types one by one, since the file has 96 MB.
func readPublished(r io.Reader) ([]published, error) {
	dec := json.NewDecoder(r)
	start, err := dec.Token()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", instancesFile, err)
	}
	if start != json.Delim('[') {
		return nil, fmt.Errorf("%s: it begins with %v, not with an array", instancesFile, start)
	}
	var all []published
	for dec.More() {
		var p published
		if err := dec.Decode(&p); err != nil {
			return nil, fmt.Errorf("%s: entry %d: %w", instancesFile, len(all), err)
		}
		if p.Name == "" {
			return nil, fmt.Errorf("%s: entry %d has no instance_type", instancesFile, len(all))
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b published) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// runsKubernetes reports whether the type has a processor that Linux nodes run
// on; those of the mac families do not.
func (p *published) runsKubernetes() bool {
	return slices.Contains(p.Arch, "x86_64") || slices.Contains(p.Arch, "arm64")
}

// spec is what the catalog says of an instance type, the same in every region.
// Zero or empty means none or not known.
type spec struct {
	name        string
	derived     bool
	vcpu        int
	memoryMiB   int
	arch        string // as Kubernetes names it
	cpuMaker    string
	clockMHz    int
	hypervisor  string
	encrypts    bool // traffic between instances
	gpu         gpu
	accelerator accelerator
	nvmeGB      int
	networkMbps int
	ebsMbps     int
	eni         limits
}

// gpu describes the GPUs of a type. Fractions of a GPU have a model but count 0.
type gpu struct {
	model     string
	maker     string
	count     int
	memoryMiB int // each
}

// accelerator describes AWS Inferentia and Trainium devices.
type accelerator struct {
	model string
	count int
	cores int // each
}

// tables are what karpenter-provider-aws adds.
type tables struct {
	limits    map[string]limits
	bandwidth map[string]int
	prices    map[string]map[string]float64 // us-east-1 and GovCloud
}

// measuredSpec works a specification out of what is published. It fails if the
// maximum of pods cannot be told.
func measuredSpec(p *published, t *tables) (spec, error) {
	s := spec{
		name:        p.Name,
		vcpu:        p.VCPU,
		memoryMiB:   int(p.MemoryGiB * 1024),
		arch:        "amd64",
		cpuMaker:    cpuMaker(p.Processor),
		clockMHz:    megahertz(p.Clock),
		encrypts:    !unencrypted[family(p.Name)],
		gpu:         publishedGPU(p),
		accelerator: neuronDevices(p.Name),
		networkMbps: t.bandwidth[p.Name],
	}
	if slices.Contains(p.Arch, "arm64") {
		s.arch = "arm64"
	}
	if p.EBSOptimized && !ebsOnRequest[family(p.Name)] {
		s.ebsMbps = int(p.EBSMaxBandwidth)
	}
	if p.Storage != nil && p.Storage.NVMe {
		s.nvmeGB = p.Storage.Devices * p.Storage.Size
	}
	switch l, known := t.limits[p.Name]; {
	case known:
		s.eni = l
	case p.VPC != nil:
		s.eni = limits{interfaces: p.VPC.ENIs, ipv4PerInterface: p.VPC.IPs, hypervisor: "nitro"}
	default:
		s.eni = unlistedLimits[p.Name]
	}
	s.hypervisor = s.eni.hypervisor
	s.correct()
	if s.vcpu <= 0 || s.memoryMiB <= 0 || s.eni.interfaces <= 0 || s.eni.ipv4PerInterface <= 1 {
		return s, fmt.Errorf("%s: incomplete: %d vCPU, %d MiB, %d interfaces of %d addresses",
			s.name, s.vcpu, s.memoryMiB, s.eni.interfaces, s.eni.ipv4PerInterface)
	}
	return s, nil
}

// correct applies the tables of corrections, by type before family.
func (s *spec) correct() {
	for _, key := range []string{family(s.name), s.name} {
		if clock, ok := clockCorrections[key]; ok {
			s.clockMHz = clock
		}
		if ebs, ok := ebsCorrections[key]; ok {
			s.ebsMbps = ebs
		}
		if nvme, ok := nvmeCorrections[key]; ok {
			s.nvmeGB = nvme
		}
		if memory, ok := memoryCorrections[key]; ok {
			s.memoryMiB = memory
		}
	}
}

func family(name string) string {
	before, _, _ := strings.Cut(name, ".")
	return before
}

func size(name string) string {
	_, after, _ := strings.Cut(name, ".")
	return after
}

func cpuMaker(processor string) string {
	switch {
	case strings.Contains(processor, "Graviton"):
		return "aws"
	case strings.Contains(processor, "AMD"):
		return "amd"
	default:
		return "intel"
	}
}

var decimal = regexp.MustCompile(`[0-9]+(\.[0-9]+)?`)

// megahertz reads "Up to 3.5 GHz".
func megahertz(clock string) int {
	gigahertz, err := strconv.ParseFloat(decimal.FindString(clock), 64)
	if err != nil {
		return 0
	}
	return int(math.Round(gigahertz * 1000))
}

// publishedGPU reads models such as "NVIDIA Tesla V100" or "NVIDIA T4 Tensor
// Core" and gives them the names that the EC2 API has for them.
func publishedGPU(p *published) gpu {
	if family(p.Name) == "dl1" {
		// Counted as 0 in the source. The EC2 API lists Gaudi among the GPUs.
		return gpu{model: "gaudi-hl-205", maker: "habana", count: 8, memoryMiB: 32 << 10}
	}
	maker, model, _ := strings.Cut(p.GPUModel, " ")
	if p.GPU < 1 || maker != "NVIDIA" && maker != "AMD" {
		return gpu{}
	}
	for _, marketing := range []string{"Tesla ", "GRID ", " Tensor Core"} {
		model = strings.ReplaceAll(model, marketing, "")
	}
	model = strings.ToLower(strings.ReplaceAll(model, " ", "-"))
	memory := int(p.GPUMemoryGiB * 1024 / p.GPU)
	if usable, ok := gpuMemory[model]; ok {
		memory = usable
	}
	return gpu{model: model, maker: strings.ToLower(maker), count: int(p.GPU), memoryMiB: memory}
}
