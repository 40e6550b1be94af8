package scenarios

// Plain is a workload without constraints: 50 Deployments of even size (fewer if
// there are fewer pods), each with requests of its own.
func Plain(seed uint64, pods int) Workload {
	return Workload{
		Seed:        seed,
		Pods:        pods,
		Deployments: min(50, pods),
		CPU:         Choices("50m", "100m", "250m", "500m", "1", "2"),
		Memory:      Choices("128Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi"),
	}
}

// Diverse is a workload of five fifths: plain, zonal spread, hostname spread,
// zonal affinity, hostname anti-affinity. It is the mix of Karpenter's own
// scheduling benchmark (v1.14.1
// pkg/controllers/provisioning/scheduling/scheduling_benchmark_test.go,
// makeDiversePods), with its requests, drawn for each pod, seven topology groups
// of a kind as its seven label values make, and one group of anti-affinity.
// Where it differs, it does as Deployments do: each spreads its own pods, while
// the benchmark's bare pods spread those of a label drawn apart from their own.
func Diverse(seed uint64, pods int) Workload {
	return Workload{
		Seed:           seed,
		Pods:           pods,
		Deployments:    min(5*7, pods),
		CPU:            Choices("100m", "250m", "500m", "1", "1500m"),
		Memory:         Choices("100Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi"),
		RequestsPerPod: true,
		Shares: Shares{
			ZonalSpread: 0.2, HostnameSpread: 0.2, ZonalAffinity: 0.2, HostnameAntiAffinity: 0.2,
		},
		OneAntiAffinityGroup: true,
	}
}

// Preferences is a workload of one Deployment whose pods prefer a zone and to be
// apart from each other, by hostname and by zone: pods as in the preference
// benchmark of Karpenter (makePreferencePods in the same file). One preference
// cannot be met by more pods than there are zones, so that all must be relaxed.
func Preferences(seed uint64, pods int) Workload {
	return Workload{
		Seed:        seed,
		Pods:        pods,
		Deployments: min(1, pods),
		CPU:         Choices("100m", "250m", "500m", "1", "1500m"),
		Memory:      Choices("100Mi", "256Mi", "512Mi", "1Gi", "2Gi", "4Gi"),
		Shares:      Shares{Preferences: 1},
	}
}
