package pricing_test

import (
	"fmt"
	"log"
	"strings"

	"github.com/binwright/binwright/instancetypes/aws"
	"github.com/binwright/binwright/packing/requirements"
	"github.com/binwright/binwright/pricing"
)

// Engines that are given the repriced catalog decide on the prices that a
// company really pays.
func ExampleBook_Apply() {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		log.Fatal(err)
	}
	book, err := pricing.NewBook(
		pricing.OnDemandDiscount(0.30),         // 30% off on-demand
		pricing.FixedPrice("m5.xlarge", 0.121), // a commitment
	)
	if err != nil {
		log.Fatal(err)
	}
	ours, err := book.Apply(catalog)
	if err != nil {
		log.Fatal(err)
	}
	onDemand := requirements.NewSet(requirements.Must(requirements.LabelCapacityType, requirements.In, "on-demand"))
	for _, name := range []string{"m5.large", "m5.xlarge"} {
		listed, _ := catalog.Lookup(name)
		paid, _ := ours.Lookup(name)
		fmt.Printf("%s: %.4f instead of %.4f $/h\n", name, paid.Cheapest(onDemand).Price, listed.Cheapest(onDemand).Price)
	}
	// Output:
	// m5.large: 0.0672 instead of 0.0960 $/h
	// m5.xlarge: 0.1210 instead of 0.1920 $/h
}

func ExampleReadCSV() {
	table, err := pricing.ReadCSV(strings.NewReader(`instance_type,capacity_type,price
m5.large,on-demand,0.0672
m5.large,spot,0.03
`))
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range table.Rows() {
		fmt.Println(row, row.Hourly)
	}

	_, err = pricing.ReadCSV(strings.NewReader("instance_type,price\nm5.large,free\nc5.large,-1\n"))
	fmt.Println(err)
	// Output:
	// m5.large, on-demand 0.0672
	// m5.large, spot 0.03
	// price table: line 2, column price: "free" is no number
	// line 3, column price: price is not a number of US dollars an hour from 0 to below 1,000,000: -1
}

func ExampleBill() {
	bill := pricing.Bill{
		{InstanceType: "m5.large", Zone: "us-east-1a", CapacityType: "on-demand", Owner: "default", Hourly: 0.096},
		{InstanceType: "m5.large", Zone: "us-east-1b", CapacityType: "spot", Owner: "default", Hourly: 0.0317},
		{InstanceType: "g5.xlarge", Zone: "us-east-1a", CapacityType: "spot", Owner: "training", Hourly: 0.3722},
	}
	fmt.Printf("%.4f $/h, %.2f $/month\n", bill.Hourly(), bill.Monthly())
	for _, share := range bill.ByOwner() {
		fmt.Printf("%s: %d nodes, %.4f $/h\n", share.Name, share.Nodes, share.Hourly)
	}
	// Output:
	// 0.4999 $/h, 364.93 $/month
	// training: 1 nodes, 0.3722 $/h
	// default: 2 nodes, 0.1277 $/h
}

func ExampleSpot() {
	catalog, err := aws.Load("us-east-1")
	if err != nil {
		log.Fatal(err)
	}
	m5, _ := catalog.Lookup("m5.large")
	quote, _ := pricing.Spot(m5, "us-east-1a")
	fmt.Printf("%.4f $/h, %.0f%% less than on-demand, %s of instances reclaimed a month\n",
		quote.Spot, 100*quote.Saving(), quote.Interruption)
	// Output:
	// 0.0317 $/h, 67% less than on-demand, 10-15% of instances reclaimed a month
}
