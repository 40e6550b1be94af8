package pricing

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/binwright/binwright/instancetypes"
)

func TestReadCSV(t *testing.T) {
	want := []Row{
		{InstanceType: "m5.large", CapacityType: "on-demand", Hourly: 0.0672},
		{InstanceType: "m5.large", Zone: "us-east-1a", CapacityType: "spot", Hourly: 0.025},
		{InstanceType: "c5.large", Hourly: 0.05},
	}
	for name, text := range map[string]string{
		"as documented": "instance_type,zone,capacity_type,price\nm5.large,,on-demand,0.0672\nm5.large,us-east-1a,spot,0.025\nc5.large,,,0.05\n",
		"other order":   "price,capacity_type,zone,instance_type\n0.0672,on-demand,,m5.large\n0.025,spot,us-east-1a,m5.large\n0.05,,,c5.large\n",
		"other names":   "Instance Type,ZONE,capacityType,Price\nm5.large,,on-demand,0.0672\nm5.large,us-east-1a,spot,0.025\nc5.large,,,0.05",
		"from Excel":    "\ufeffinstance_type,zone,capacity_type,price\r\n\"m5.large\",,on-demand,0.0672\r\nm5.large, us-east-1a , spot, 0.025\r\nc5.large,,,5e-2\r\n",
		"short rows":    "instance_type,price,capacity_type,zone\nm5.large,0.0672,on-demand\nm5.large,0.025,spot,us-east-1a\nc5.large,0.05\n",
		"blank lines":   "\n\ninstance_type,zone,capacity_type,price\n\nm5.large,,on-demand,0.0672\n\nm5.large,us-east-1a,spot,0.025\nc5.large,,,0.05\n\n",
	} {
		t.Run(name, func(t *testing.T) {
			table, err := ReadCSV(strings.NewReader(text))
			require.NoError(t, err)
			assert.Equal(t, want, table.Rows())
		})
	}

	f, err := os.Open("testdata/prices.csv")
	require.NoError(t, err)
	defer f.Close()
	table, err := ReadCSV(f)
	require.NoError(t, err)
	assert.Equal(t, want, table.Rows())
	table.Rows()[0].Hourly = 9
	assert.Equal(t, want, table.Rows(), "the rows returned are a copy")
}

func TestReadCSVRejects(t *testing.T) {
	const head = "instance_type,zone,capacity_type,price\n"
	for name, test := range map[string]struct{ text, want string }{
		"empty":             {"", "it is empty"},
		"blank":             {"\n\n", "it is empty"},
		"no price column":   {"instance_type,zone\nm5.large,a\n", "line 1: column price is missing"},
		"no type column":    {"price\n1\n", "line 1: column instance_type is missing"},
		"unknown column":    {"instance_type,pric,price\n", `line 1, column 2: unknown column "pric", did you mean "price"?`},
		"header further on": {"\n\nprice\n", "line 3: column instance_type is missing"},
		"column twice":      {"instance_type,price,Price\n", "line 1, column 3: column price is there twice"},
		"no type":           {head + ",,,1\n", "line 2, column instance_type: it is empty"},
		"no price":          {head + "m5.large,,,\n", "line 2, column price: it is empty"},
		"text":              {head + "m5.large,,,0.1 USD\n", `line 2, column price: "0.1 USD" is no number`},
		"NaN":               {head + "m5.large,,,NaN\n", "line 2, column price: " + instancetypes.ErrPrice.Error() + ": NaN"},
		"negative":          {head + "m5.large,,,-0.1\n", ": -0.1"},
		"infinite":          {head + "m5.large,,,inf\n", ": +Inf"},
		"out of range":      {head + "m5.large,,,1e999\n", ": +Inf"},
		"too dear":          {head + "m5.large,,,1000000\n", ": 1e+06"},
		"capacity type":     {head + "m5.large,,ondemand,1\n", `line 2, column capacity_type: unknown capacity type "ondemand"`},
		"too many fields":   {head + "m5.large,,,1,2\n", "line 2, column 5: 5 fields under 4 columns"},
		"row twice":         {head + "m5.large,,spot,1\n\nm5.large,,spot,2\n", "line 4: m5.large, spot is priced already in line 2"},
		"bare quote":        {head + "m5\"large,,,1\n", "line 2, column 3"},
		"quote without end": {head + "\"m5.large,,,1\n", "line 2, column"},
	} {
		t.Run(name, func(t *testing.T) {
			table, err := ReadCSV(strings.NewReader(test.text))
			require.ErrorContains(t, err, test.want)
			assert.Nil(t, table)
		})
	}
}

func TestReadCSVTellsEveryProblem(t *testing.T) {
	_, err := ReadCSV(strings.NewReader("instance_type,price,capacity_type\nm5.large,x,y\n,1\nm5.large,2\nm5.large,3\n"))
	require.Error(t, err)
	assert.Equal(t, []string{
		`price table: line 2, column capacity_type: unknown capacity type "y": it is on-demand, spot or reserved`,
		`line 2, column price: "x" is no number`,
		`line 3, column instance_type: it is empty`,
		`line 5: m5.large is priced already in line 4`,
	}, strings.Split(err.Error(), "\n"))
}

// FuzzReadCSV checks that what is read is usable and survives another round.
func FuzzReadCSV(f *testing.F) {
	f.Add("instance_type,zone,capacity_type,price\nm5.large,us-east-1a,spot,0.025\nc5.large,,,0.05\n")
	f.Add("\ufeffPrice,Instance-Type\r\n1e-9,\"a \"\"b\"\" c\"\r\n")
	f.Add("instance_type,price\nm5.large,NaN\n")
	f.Add("instance_type,price\n\"m5\nlarge\",0x1p-2\n")
	f.Add("price")
	f.Fuzz(func(t *testing.T, text string) {
		table, err := ReadCSV(strings.NewReader(text))
		if err != nil {
			if table != nil || err.Error() == "" {
				t.Fatalf("error %q with table %v", err, table)
			}
			return
		}
		rows := table.Rows()
		for _, r := range rows {
			if r.InstanceType == "" || instancetypes.CheckPrice(r.Hourly) != nil {
				t.Fatalf("unusable row %+v", r)
			}
			if got, ok := table.lookup(r.InstanceType, r.Zone, r.CapacityType); !ok || got != r {
				t.Fatalf("row %+v is found as %+v, %t", r, got, ok)
			}
		}
		again, err := NewTable(rows...)
		if err != nil || len(again.Rows()) != len(rows) {
			t.Fatalf("rows %+v make no table: %v", rows, err)
		}
	})
}
