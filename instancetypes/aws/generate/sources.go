package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
)

// source is a Go module that the catalog is made from, pinned to a version and
// to the sum that go.sum would hold for it.
type source struct {
	path, version, sum string
	date               string // of the data in it
	licence            string
	content            string // what is taken from it
}

// The sources. Both are data inside Go modules: the module proxy serves them
// immutably, and the sum says that they are the ones this generator was written for.
var (
	specsAndPrices = source{
		path:    "github.com/LeanerCloud/ec2-instances-info",
		version: "v0.0.0-20250528091325-32acf84f42eb",
		sum:     "h1:iluzDOiXmKFvLkGHlwg54pu+HkOVF6zacqArEiAppg4=",
		date:    "2025-05-28",
		licence: "MIT (data), Unlicense (code)",
		content: "specifications, on-demand prices, spot savings, interruption bands, availability zone ids",
	}
	karpenterProvider = source{
		path:    "github.com/aws/karpenter-provider-aws",
		version: "v1.14.1",
		sum:     "h1:WGtIQTQcxpElYMdWfWuPwaF2+9muR+hYhPZsTtoY8Gs=",
		date:    "2026-07-06 (us-east-1), 2026-06-15 (GovCloud)",
		licence: "Apache-2.0",
		content: "on-demand prices of us-east-1 and GovCloud, network interface limits, network bandwidth",
	}
)

// Files within the modules.
const (
	instancesFile = "data/instances.json"
	pricesFile    = "pkg/providers/pricing/zz_generated.pricing_aws.go"
	govPricesFile = "pkg/providers/pricing/zz_generated.pricing_aws_us_gov.go"
	vpcLimitsFile = "pkg/providers/instancetype/zz_generated.vpclimits.go"
	bandwidthFile = "pkg/providers/instancetype/zz_generated.bandwidth.go"
)

// errSum says that a module is not the one that the generator was written for.
var errSum = errors.New("checksum differs from the pinned one")

// downloaded is what `go mod download -json` prints.
type downloaded struct {
	Dir, Sum, Error string
}

// download has the go command fetch and verify the module and returns the
// directory it is in. The module is not imported: one of them embeds 96 MB, the
// other needs a cloud SDK.
func (s source) download(ctx context.Context) (string, error) {
	name := s.path + "@" + s.version
	out, runErr := exec.CommandContext(ctx, "go", "mod", "download", "-json", name).Output()
	dir, err := s.verify(out)
	if err != nil && runErr != nil {
		err = errors.Join(err, runErr)
	}
	if err != nil {
		return "", fmt.Errorf("download %s: %w", name, err)
	}
	return dir, nil
}

// verify reads what the go command printed and compares the sum.
func (s source) verify(output []byte) (string, error) {
	var d downloaded
	if err := json.Unmarshal(output, &d); err != nil {
		return "", fmt.Errorf("read the answer of the go command: %w", err)
	}
	switch {
	case d.Error != "":
		return "", errors.New(d.Error)
	case d.Sum != s.sum:
		return "", fmt.Errorf("%w: got %s, want %s", errSum, d.Sum, s.sum)
	case d.Dir == "":
		return "", errors.New("the go command names no directory")
	}
	return filepath.Clean(d.Dir), nil
}
