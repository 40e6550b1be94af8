package aws

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/binwright/binwright/packing/requirements"
)

// Labels that Karpenter's AWS provider puts on nodes
// (karpenter-provider-aws v1.14.1 pkg/apis/v1/labels.go). Numbers are decimal
// integers, so that Gt and Lt work on them.
const (
	LabelReservationID            = "karpenter.k8s.aws/capacity-reservation-id"
	LabelReservationInterruptible = "karpenter.k8s.aws/capacity-reservation-interruptible"
	LabelReservationType          = "karpenter.k8s.aws/capacity-reservation-type"
	LabelAcceleratorCount         = "karpenter.k8s.aws/instance-accelerator-count"
	LabelAcceleratorManufacturer  = "karpenter.k8s.aws/instance-accelerator-manufacturer"
	LabelAcceleratorName          = "karpenter.k8s.aws/instance-accelerator-name"
	LabelCapabilityFlex           = "karpenter.k8s.aws/instance-capability-flex"
	LabelCategory                 = "karpenter.k8s.aws/instance-category"
	LabelCPU                      = "karpenter.k8s.aws/instance-cpu" // vCPUs
	LabelCPUManufacturer          = "karpenter.k8s.aws/instance-cpu-manufacturer"
	LabelCPUClockSpeed            = "karpenter.k8s.aws/instance-cpu-sustained-clock-speed-mhz"
	LabelEBSBandwidth             = "karpenter.k8s.aws/instance-ebs-bandwidth" // Mbit/s
	LabelEncryptionInTransit      = "karpenter.k8s.aws/instance-encryption-in-transit-supported"
	LabelFamily                   = "karpenter.k8s.aws/instance-family"
	LabelGeneration               = "karpenter.k8s.aws/instance-generation"
	LabelGPUCount                 = "karpenter.k8s.aws/instance-gpu-count"
	LabelGPUManufacturer          = "karpenter.k8s.aws/instance-gpu-manufacturer"
	LabelGPUMemory                = "karpenter.k8s.aws/instance-gpu-memory" // MiB a GPU
	LabelGPUName                  = "karpenter.k8s.aws/instance-gpu-name"
	LabelHypervisor               = "karpenter.k8s.aws/instance-hypervisor"
	LabelLocalNVMe                = "karpenter.k8s.aws/instance-local-nvme"        // GB
	LabelMemory                   = "karpenter.k8s.aws/instance-memory"            // MiB
	LabelNetworkBandwidth         = "karpenter.k8s.aws/instance-network-bandwidth" // Mbit/s
	LabelSize                     = "karpenter.k8s.aws/instance-size"
	LabelTenancy                  = "karpenter.k8s.aws/instance-tenancy"
	LabelPlacementGroupID         = "karpenter.k8s.aws/placement-group-id"
	LabelPlacementGroupPartition  = "karpenter.k8s.aws/placement-group-partition"
	LabelZoneID                   = "topology.k8s.aws/zone-id"
)

// Extended resources of AWS nodes (same file).
const (
	ResourceNVIDIAGPU  corev1.ResourceName = "nvidia.com/gpu"
	ResourceAMDGPU     corev1.ResourceName = "amd.com/gpu"
	ResourceGaudi      corev1.ResourceName = "habana.ai/gaudi"
	ResourceNeuron     corev1.ResourceName = "aws.amazon.com/neuron"
	ResourceNeuronCore corev1.ResourceName = "aws.amazon.com/neuroncore"
	ResourcePodENI     corev1.ResourceName = "vpc.amazonaws.com/pod-eni"
)

// wellKnownLabels returns the labels that the provider adds to Karpenter's own
// well-known ones.
func wellKnownLabels() []string {
	return []string{
		LabelReservationID, LabelReservationInterruptible, LabelReservationType,
		LabelAcceleratorCount, LabelAcceleratorManufacturer, LabelAcceleratorName,
		LabelCapabilityFlex, LabelCategory, LabelCPU, LabelCPUManufacturer, LabelCPUClockSpeed,
		LabelEBSBandwidth, LabelEncryptionInTransit, LabelFamily, LabelGeneration,
		LabelGPUCount, LabelGPUManufacturer, LabelGPUMemory, LabelGPUName,
		LabelHypervisor, LabelLocalNVMe, LabelMemory, LabelNetworkBandwidth, LabelSize, LabelTenancy,
		LabelPlacementGroupID, LabelPlacementGroupPartition, LabelZoneID, corev1.LabelWindowsBuild,
	}
}

// interned makes each requirement once: most types of a region share most of them.
type interned map[[2]string]requirements.Requirement

// in returns key In [value], or DoesNotExist if value is empty.
func (m interned) in(key, value string) requirements.Requirement {
	if value == "" {
		return absent(key)
	}
	return m.exactly(key, value)
}

// exactly returns key In [value], even where the value is empty.
func (m interned) exactly(key, value string) requirements.Requirement {
	r, ok := m[[2]string{key, value}]
	if !ok {
		r = requirements.Must(key, requirements.In, value)
		m[[2]string{key, value}] = r
	}
	return r
}

// absent returns key DoesNotExist.
func absent(key string) requirements.Requirement {
	return requirements.Must(key, requirements.DoesNotExist)
}
