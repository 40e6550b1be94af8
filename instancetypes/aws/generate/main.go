// Command generate makes the data that package instancetypes/aws embeds from
// two Go modules, which it has the go command download and verify. It is run by
// `go generate ./instancetypes/aws`; with -check it says whether the embedded
// data is what it would write, and changes nothing.
//
// It is a module of its own so that users of the library never depend on what
// the catalog is made from.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("generate: ")
	out := flag.String("o", "../data", "directory that holds the embedded data")
	checkOnly := flag.Bool("check", false, "compare with the data that is there instead of writing it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *out, *checkOnly); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out string, checkOnly bool) error {
	files, summary, err := generate(ctx)
	if err != nil {
		return err
	}
	if checkOnly {
		if err := check(out, files); err != nil {
			return err
		}
		fmt.Println("up to date:", summary)
		return nil
	}
	if err := write(out, files); err != nil {
		return err
	}
	fmt.Println("written:", summary)
	return nil
}

// generate returns the content of every file, before compression.
func generate(ctx context.Context) (files map[string][]byte, summary string, err error) {
	all, err := loadPublished(ctx)
	if err != nil {
		return nil, "", err
	}
	t, err := loadTables(ctx)
	if err != nil {
		return nil, "", err
	}
	specs, leftOut := describe(all, t)
	regions, err := collect(all, specs, t)
	if err != nil {
		return nil, "", err
	}
	files = map[string][]byte{typesFile: encodeTypes(specs, []source{specsAndPrices, karpenterProvider}, leftOut)}
	rows := 0
	for i := range regions {
		files[regions[i].name+suffix] = encodeRegion(&regions[i])
		rows += len(regions[i].rows)
	}
	summary = fmt.Sprintf("%d types, %d regions, %d prices, left out %q", len(specs), len(regions), rows, leftOut)
	return files, summary, nil
}

func loadPublished(ctx context.Context) ([]published, error) {
	dir, err := specsAndPrices.download(ctx)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(filepath.Join(dir, instancesFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readPublished(f)
}

func loadTables(ctx context.Context) (*tables, error) {
	dir, err := karpenterProvider.download(ctx)
	if err != nil {
		return nil, err
	}
	t := &tables{prices: map[string]map[string]float64{}}
	for file, variable := range map[string]string{
		pricesFile:    "InitialOnDemandPricesAWS",
		govPricesFile: "InitialOnDemandPricesUSGov",
	} {
		prices, err := parsePrices(filepath.Join(dir, file), variable, nil)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		for region, byType := range prices {
			t.prices[region] = byType
		}
	}
	if t.limits, err = parseLimits(filepath.Join(dir, vpcLimitsFile), nil); err != nil {
		return nil, fmt.Errorf("%s: %w", vpcLimitsFile, err)
	}
	if t.bandwidth, err = parseBandwidth(filepath.Join(dir, bandwidthFile), nil); err != nil {
		return nil, fmt.Errorf("%s: %w", bandwidthFile, err)
	}
	return t, nil
}

// describe returns the specification of every type, and the names of those that
// cannot be described or run no Linux node.
func describe(all []published, t *tables) (specs map[string]spec, leftOut []string) {
	specs = make(map[string]spec, len(all))
	known := map[string]bool{}
	unfit := map[string]bool{}
	for i := range all {
		known[all[i].Name] = true
		s, err := measuredSpec(&all[i], t)
		if err != nil || !all[i].runsKubernetes() {
			unfit[all[i].Name] = true
			continue
		}
		specs[s.name] = s
	}
	for _, region := range sortedKeys(t.prices) {
		prices := t.prices[region]
		for _, name := range sortedKeys(prices) {
			if known[name] {
				continue
			}
			s, err := derivedSpec(name, t)
			if err != nil {
				unfit[name] = true
				continue
			}
			specs[name] = s
		}
	}
	return specs, sortedKeys(unfit)
}
