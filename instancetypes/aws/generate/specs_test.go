package main

import (
	"strings"
	"testing"
)

// onePublished is one type in the form of instances.json.
const onePublished = `[{"instance_type": "m5.large", "vCPU": 2, "memory": 8.0, "arch": ["x86_64"],
	"physical_processor": "Intel Xeon Platinum 8175", "clock_speed_ghz": "3.1 GHz", "GPU": 0, "GPU_model": null,
	"ebs_optimized": true, "ebs_max_bandwidth": 4750, "storage": null, "vpc": {"ips_per_eni": 10, "max_enis": 3},
	"pricing": {"us-east-1": {"linux": {"ondemand": "0.096", "pct_savings_od": 67, "pct_interrupt": "10-15%"}}}}]`

func TestReadPublished(t *testing.T) {
	all, err := readPublished(strings.NewReader(onePublished))
	if err != nil || len(all) != 1 {
		t.Fatalf("got %v, %v", all, err)
	}
	s, err := measuredSpec(&all[0], &tables{bandwidth: map[string]int{"m5.large": 750}})
	if err != nil {
		t.Fatal(err)
	}
	want := spec{
		name: "m5.large", vcpu: 2, memoryMiB: 8192, arch: "amd64", cpuMaker: "intel", clockMHz: 3100,
		hypervisor: "nitro", networkMbps: 750, ebsMbps: 4750,
		eni: limits{interfaces: 3, ipv4PerInterface: 10, hypervisor: "nitro"},
	}
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
	for _, bad := range []string{"", "{}", "[1]", "[{}]", onePublished[:100]} {
		if _, err := readPublished(strings.NewReader(bad)); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

func TestMeasuredSpecNeedsNetworkInterfaces(t *testing.T) {
	p := published{Name: "m5.large", VCPU: 2, MemoryGiB: 8}
	if _, err := measuredSpec(&p, &tables{}); err == nil || !strings.Contains(err.Error(), "incomplete") {
		t.Errorf("got %v", err)
	}
	// The default card's limits come before the total over all cards.
	p.VPC = &vpc{IPs: 50, ENIs: 60}
	s, err := measuredSpec(&p, &tables{limits: map[string]limits{"m5.large": {interfaces: 15, ipv4PerInterface: 50}}})
	if err != nil || s.eni.interfaces != 15 {
		t.Errorf("got %+v, %v", s.eni, err)
	}
}

func TestPublishedGPU(t *testing.T) {
	for _, test := range []struct {
		name   string
		count  float64
		model  string
		memory float64
		want   gpu
	}{
		{"p3.8xlarge", 4, "NVIDIA Tesla V100", 64, gpu{"v100", "nvidia", 4, 16384}},
		{"g4dn.xlarge", 1, "NVIDIA T4 Tensor Core", 16, gpu{"t4", "nvidia", 1, 16384}},
		{"g5.12xlarge", 4, "NVIDIA A10G", 96, gpu{"a10g", "nvidia", 4, 22888}},
		{"g4ad.xlarge", 1, "AMD Radeon Pro V520", 8, gpu{"radeon-pro-v520", "amd", 1, 8192}},
		{"g2.8xlarge", 4, "NVIDIA GRID K520", 16, gpu{"k520", "nvidia", 4, 4096}},
		{"inf1.xlarge", 1, "AWS Inferentia", 0, gpu{}},
		{"dl1.24xlarge", 0, "", 0, gpu{"gaudi-hl-205", "habana", 8, 32768}},
		{"m5.large", 0, "", 0, gpu{}},
	} {
		if got := publishedGPU(&published{Name: test.name, GPU: test.count, GPUModel: test.model, GPUMemoryGiB: test.memory}); got != test.want {
			t.Errorf("%s: got %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestNeuronDevices(t *testing.T) {
	for name, want := range map[string]accelerator{
		"trn1.2xlarge":   {"trainium", 1, 2},
		"trn1n.32xlarge": {"trainium", 16, 2},
		"trn2.48xlarge":  {"trainium2", 16, 8},
		"inf1.6xlarge":   {"inferentia", 4, 4},
		"inf2.8xlarge":   {"inferentia2", 1, 2},
		"m5.large":       {},
	} {
		if got := neuronDevices(name); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
}

func TestMegahertz(t *testing.T) {
	for text, want := range map[string]int{"3.1 GHz": 3100, "Up to 3.5 GHz": 3500, "2 GHz": 2000, "": 0, "fast": 0} {
		if got := megahertz(text); got != want {
			t.Errorf("%q: got %d, want %d", text, got, want)
		}
	}
}

func TestDerivedSpec(t *testing.T) {
	tb := &tables{
		limits: map[string]limits{
			"m9g.large":    {interfaces: 3, ipv4PerInterface: 20, branchInterfaces: 9, hypervisor: "nitro"},
			"c8i.48xlarge": {interfaces: 24, ipv4PerInterface: 64, branchInterfaces: 98, hypervisor: "nitro"},
			"g7e.48xlarge": {interfaces: 8, ipv4PerInterface: 50, hypervisor: "nitro"},
		},
		bandwidth: map[string]int{"c9g.large": 12500},
	}
	for name, want := range map[string]spec{
		// Network interfaces of m9g; whether it can trunk is not known.
		"c9g.large": {vcpu: 2, memoryMiB: 4096, arch: "arm64", cpuMaker: "aws", clockMHz: 2800, hypervisor: "nitro",
			networkMbps: 12500, eni: limits{interfaces: 3, ipv4PerInterface: 20, hypervisor: "nitro"}},
		"c9gd.large": {vcpu: 2, memoryMiB: 4096, arch: "arm64", cpuMaker: "aws", clockMHz: 2800, nvmeGB: 118},
		// A whole machine has the interfaces of as many vCPUs.
		"c8i.metal-48xl": {vcpu: 192, memoryMiB: 393216, arch: "amd64", cpuMaker: "intel", clockMHz: 3900,
			eni: limits{interfaces: 24, ipv4PerInterface: 64}},
		// 2 TiB over 192 vCPUs.
		"g7e.48xlarge": {vcpu: 192, memoryMiB: 2097152, arch: "amd64", cpuMaker: "intel", clockMHz: 2400, hypervisor: "nitro", nvmeGB: 15200,
			gpu: gpu{"rtx-pro-server-6000", "nvidia", 8, 98304}, eni: limits{interfaces: 8, ipv4PerInterface: 50, hypervisor: "nitro"}},
	} {
		got, err := derivedSpec(name, tb)
		if want.eni == (limits{}) {
			if err == nil || !strings.Contains(err.Error(), "network interfaces") {
				t.Errorf("%s: got %+v, %v", name, got, err)
			}
			continue
		}
		want.name, want.derived, want.encrypts = name, true, true
		if err != nil || got != want {
			t.Errorf("%s: got %+v, %v, want %+v", name, got, err, want)
		}
	}
	for _, name := range []string{"q1.large", "c9g.huge", "c9g", ""} {
		if _, err := derivedSpec(name, tb); err == nil {
			t.Errorf("%q is derived", name)
		}
	}
}

func TestSizes(t *testing.T) {
	for size, want := range map[string]int{"medium": 1, "large": 2, "xlarge": 4, "2xlarge": 8, "96xlarge": 384, "metal-24xl": 96, "metal": 0, "nano": 0, "0xlarge": 0} {
		if got, ok := sizeVCPU(size); ok != (want > 0) || ok && got != want {
			t.Errorf("%s: got %d, %t, want %d", size, got, ok, want)
		}
	}
	for vcpu, want := range map[int]string{1: "medium", 2: "large", 4: "xlarge", 8: "2xlarge", 192: "48xlarge"} {
		if got := virtualSize(vcpu); got != want {
			t.Errorf("%d vCPUs: got %s, want %s", vcpu, got, want)
		}
	}
}

func TestPredecessors(t *testing.T) {
	for family, want := range map[string]string{
		"m8i": "m7i", "c8a": "c7a", "r8i-flex": "r7i-flex", "c8gn": "c8g", "m8idn": "m6id", "r8in": "r6in",
		"c9gd": "c8gd", "i7i": "i4i", "x8i": "x2idn", "g6f": "g6", "p5": "p5",
	} {
		if got := predecessors(family); len(got) == 0 || got[0] != want {
			t.Errorf("%s: got %v, want %s first", family, got, want)
		}
	}
}
