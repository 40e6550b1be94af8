package aws

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/resources"
)

const (
	mebibyte = int64(1) << 20
	gibibyte = int64(1) << 30

	gravitonReservedMiB = 64            // contiguous memory that arm64 machines keep
	rootDisk            = 20 * gibibyte // of the default block device
)

// capacity is what the kubelet will report (karpenter-provider-aws v1.14.1
// pkg/providers/instancetype/types.go, computeCapacity), with amounts of zero
// left out. Pods: the provider's formula for the VPC CNI without prefixes.
func (s *spec) capacity() resources.Vector {
	v := make(resources.Vector, 0, 6)
	add := func(name corev1.ResourceName, value int64) {
		if value > 0 {
			v = append(v, resources.Amount{Name: name, Value: value})
		}
	}
	add(ResourceAMDGPU, s.gpus("amd")) // in the order of their names, as a Vector is
	add(ResourceNeuron, s.acceleratorCount)
	add(ResourceNeuronCore, s.acceleratorCount*s.acceleratorCores)
	add(corev1.ResourceCPU, s.vcpu*1000)
	add(corev1.ResourceEphemeralStorage, rootDisk)
	add(ResourceGaudi, s.gpus("habana"))
	add(corev1.ResourceMemory, s.memory())
	add(ResourceNVIDIAGPU, s.gpus("nvidia"))
	add(corev1.ResourcePods, s.maxPods())
	add(ResourcePodENI, s.branchInterfaces)
	return v
}

func (s *spec) gpus(manufacturer string) int64 {
	if s.gpuManufacturer != manufacturer {
		return 0
	}
	return s.gpuCount
}

// memory is the machine's memory in bytes less what Graviton keeps and less
// 7.5%, rounded up to MiB, for the virtual machine monitor (the default of
// VM_MEMORY_OVERHEAD_PERCENT).
func (s *spec) memory() int64 {
	mib := s.memoryMiB
	if s.arch == "arm64" {
		mib -= gravitonReservedMiB
	}
	return (mib - (mib*75+999)/1000) * mebibyte
}

// maxPods is interfaces x (addresses each - 1) + 2, the interfaces being those
// of the default network card (ENILimitedPods).
func (s *spec) maxPods() int64 { return s.interfaces*(s.ipv4PerInterface-1) + 2 }

// overhead is what the kubelet reserves plus the eviction threshold
// (kubeReservedResources and evictionThreshold of the same file): memory of 11
// MiB for each pod that the network allows, 255 MiB and 100 MiB; disk of 1 GiB
// and a tenth.
func (s *spec) overhead() resources.Vector {
	return resources.Vector{
		{Name: corev1.ResourceCPU, Value: reservedCPU(s.vcpu)},
		{Name: corev1.ResourceEphemeralStorage, Value: gibibyte + rootDisk/10},
		{Name: corev1.ResourceMemory, Value: (11*s.maxPods() + 255 + 100) * mebibyte},
	}
}

// reservedCPU is, in milli-CPU, 6% of the first core, 1% of the second, 0.5% of
// the next two and 0.25% of the rest, each truncated.
func reservedCPU(vcpu int64) int64 {
	const perMille = 1000
	reserved := min(vcpu, 1) * 60
	reserved += min(max(vcpu-1, 0), 1) * 10
	reserved += min(max(vcpu-2, 0), 2) * 5
	reserved += max(vcpu-4, 0) * perMille * 25 / 10000
	return reserved
}
