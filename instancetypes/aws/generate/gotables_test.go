package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestParsePrices(t *testing.T) {
	prices, err := parsePrices("prices.go", "Prices", `package pricing
import ec2types "example.com/types"
var Other = 1
var Prices = map[string]map[ec2types.InstanceType]float64{
	// us-east-1
	"us-east-1": {"m5.large": 0.096000, "m5.xlarge": 0.192000},
	"us-gov-west-1": {"m5.large": 0.121},
}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]float64{
		"us-east-1":     {"m5.large": 0.096, "m5.xlarge": 0.192},
		"us-gov-west-1": {"m5.large": 0.121},
	}
	if !reflect.DeepEqual(prices, want) {
		t.Errorf("got %v, want %v", prices, want)
	}
}

func TestParsePricesRejects(t *testing.T) {
	for want, source := range map[string]string{
		"expected 'package'":                       "prices",
		"no table Prices":                          "package p\nvar Prices = load()",
		"us-east-1: *ast.Ident is no table":        "package p\nvar Prices = T{\"us-east-1\": nothing}",
		"us-east-1: m5.large: *ast.Ident is no nu": "package p\nvar Prices = T{\"us-east-1\": {\"m5.large\": free}}",
		"has no key":                               "package p\nvar Prices = T{1}",
		"neither a name nor a string":              "package p\nvar Prices = T{1+1: {}}",
	} {
		if _, err := parsePrices("prices.go", "Prices", source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestParseLimits(t *testing.T) {
	all, err := parseLimits("limits.go", `package p
type NetworkCard struct{ MaximumNetworkInterfaces, NetworkCardIndex int64 }
var Limits = map[string]*VPCLimits{
	"m5.large": {
		Interface: 3, IPv4PerInterface: 10, IsTrunkingCompatible: true, BranchInterface: 9,
		DefaultNetworkCardIndex: 0,
		NetworkCards: []NetworkCard{{MaximumNetworkInterfaces: 3, NetworkCardIndex: 0}},
		Hypervisor: "nitro", IsBareMetal: false,
	},
	"p4d.24xlarge": {
		Interface: 60, IPv4PerInterface: 50, IsTrunkingCompatible: false, BranchInterface: 62,
		DefaultNetworkCardIndex: 1,
		NetworkCards: []NetworkCard{{MaximumNetworkInterfaces: 7}, {MaximumNetworkInterfaces: 15}},
		Hypervisor: "nitro", IsBareMetal: true,
	},
	"t2.nano": &VPCLimits{Interface: 2, IPv4PerInterface: 2, Hypervisor: "xen"},
}`)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]limits{
		"m5.large":     {interfaces: 3, ipv4PerInterface: 10, branchInterfaces: 9, hypervisor: "nitro"},
		"p4d.24xlarge": {interfaces: 15, ipv4PerInterface: 50, hypervisor: "nitro", bareMetal: true}, // of the default card
		"t2.nano":      {interfaces: 2, ipv4PerInterface: 2, hypervisor: "xen"},
	}
	if !reflect.DeepEqual(all, want) {
		t.Errorf("got %+v, want %+v", all, want)
	}
}

func TestParseLimitsRejects(t *testing.T) {
	for want, limit := range map[string]string{
		"default network card 1 of 1":     "{DefaultNetworkCardIndex: 1, NetworkCards: C{{}}}",
		"neither true nor false":          "{IsBareMetal: maybe}",
		"Interface: *ast.Ident is no num": "{Interface: three}",
		"is no string":                    "{Hypervisor: nitro}",
		"is no struct":                    "nothing",
		"NetworkCards: *ast.Ident":        "{NetworkCards: nothing}",
	} {
		source := "package p\nvar Limits = T{\"m5.large\": " + limit + "}"
		if _, err := parseLimits("limits.go", source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", limit, err, want)
		}
	}
}

func TestParseBandwidth(t *testing.T) {
	bandwidth, err := parseBandwidth("bandwidth.go", `package p
var (
	InstanceTypeBandwidthMegabits = map[string]int64{
		// c3.large has vague bandwidth information, bandwidth is Moderate
		"m5.large": 750,
	}
)`)
	if err != nil || !reflect.DeepEqual(bandwidth, map[string]int{"m5.large": 750}) {
		t.Errorf("got %v, %v", bandwidth, err)
	}
}
