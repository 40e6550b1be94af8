package pricing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/binwright/binwright/instancetypes"
	"github.com/binwright/binwright/packing/requirements"
)

// Row prices one instance type.
type Row struct {
	// InstanceType is the name of the type; it may not be empty.
	InstanceType string
	// Zone is the zone that the price holds in, "" for all that no other row names.
	Zone string
	// CapacityType is on-demand, spot or reserved, "" for all that no other row names.
	CapacityType string
	// Hourly is in US dollars an hour.
	Hourly float64
}

type key struct{ instanceType, zone, capacityType string }

func (r Row) key() key { return key{r.InstanceType, r.Zone, r.CapacityType} }

// String names what the row prices: "m5.large in us-east-1a, spot".
func (r Row) String() string {
	name := r.InstanceType
	if r.Zone != "" {
		name += " in " + r.Zone
	}
	if r.CapacityType != "" {
		name += ", " + r.CapacityType
	}
	return name
}

// Table is a user's own list of prices, immutable. Make one with [NewTable] or [ReadCSV].
type Table struct {
	rows  []Row
	byKey map[key]int
}

// NewTable makes a table of rows. It returns every error, joined, each with the
// index of its row: a type without a name, an unusable price ([instancetypes.ErrPrice]), two
// rows for the same type, zone and capacity type.
func NewTable(rows ...Row) (*Table, error) {
	t := &Table{rows: slices.Clone(rows), byKey: make(map[key]int, len(rows))}
	var errs []error
	for i, r := range rows {
		where := fmt.Sprintf("row %d", i)
		errs = append(errs, t.add(i, r, where, func(first int) string { return fmt.Sprintf("row %d", first) }))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	return t, nil
}

// add checks row i and files it under its key.
func (t *Table) add(i int, r Row, where string, name func(int) string) error {
	if r.InstanceType == "" {
		return fmt.Errorf("%s: the instance type has no name", where)
	}
	if err := instancetypes.CheckPrice(r.Hourly); err != nil {
		return fmt.Errorf("%s: %s: %w", where, r, err)
	}
	if first, twice := t.byKey[r.key()]; twice {
		return fmt.Errorf("%s: %s is priced already in %s", where, r, name(first))
	}
	t.byKey[r.key()] = i
	return nil
}

// Rows returns a copy of the rows, in their order.
func (t *Table) Rows() []Row {
	if t == nil {
		return nil
	}
	return slices.Clone(t.rows)
}

// lookup returns the most specific row for an offering: one that names zone and
// capacity type, then the zone, then the capacity type, then neither.
func (t *Table) lookup(instanceType, zone, capacityType string) (Row, bool) {
	if t == nil {
		return Row{}, false
	}
	for _, k := range [...]key{
		{instanceType, zone, capacityType}, {instanceType, zone, ""}, {instanceType, "", capacityType}, {instanceType, "", ""},
	} {
		if i, ok := t.byKey[k]; ok {
			return t.rows[i], true
		}
	}
	return Row{}, false
}

// The columns of a price table in CSV.
var columns = []string{"instance_type", "zone", "capacity_type", "price"}

// ReadCSV reads a price table. The first line names the columns, in any order:
// instance_type and price (US dollars an hour) are required, zone and
// capacity_type are not; an empty field holds for all. Case, hyphens,
// underscores and blanks in the names do not matter, nor does a byte order mark.
//
//	instance_type,capacity_type,price
//	m5.large,on-demand,0.0672
//	m5.large,spot,0.03
//
// The error holds one line for each problem, which names line and column. A
// capacity type other than on-demand, spot and reserved is an error.
func ReadCSV(r io.Reader) (*Table, error) {
	in := csv.NewReader(r)
	in.TrimLeadingSpace = true
	in.ReuseRecord = true
	in.FieldsPerRecord = -1
	names, err := in.Read()
	if err == io.EOF {
		return nil, fmt.Errorf("price table: it is empty: the first line names the columns %s", strings.Join(columns, ", "))
	}
	if err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	line, _ := in.FieldPos(0)
	head, err := readHeader(names, line)
	if err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	t := &Table{byKey: map[key]int{}}
	var lines []int // of the rows
	var errs []error
	for {
		record, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil { // the file is no CSV from here on, and the error names line and column
			errs = append(errs, err)
			break
		}
		line, _ := in.FieldPos(0)
		row, err := head.row(record, line)
		if err == nil {
			err = t.add(len(t.rows), row, fmt.Sprintf("line %d", line), func(first int) string {
				return fmt.Sprintf("line %d", lines[first])
			})
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		t.rows, lines = append(t.rows, row), append(lines, line)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("price table: %w", err)
	}
	return t, nil
}

// header says where the columns of a file are.
type header struct {
	at    []int // index of each column of [columns], -1 if the file has none
	width int   // columns in the file
}

func readHeader(names []string, line int) (header, error) {
	h := header{at: []int{-1, -1, -1, -1}, width: len(names)}
	var errs []error
	for i, name := range names {
		if i == 0 {
			name = strings.TrimPrefix(name, "\ufeff")
		}
		c := slices.IndexFunc(columns, func(column string) bool { return plain(column) == plain(name) })
		switch {
		case c < 0:
			hint := ""
			if near := instancetypes.Nearest(name, columns); near != "" {
				hint = fmt.Sprintf(", did you mean %q?", near)
			}
			errs = append(errs, fmt.Errorf("line %d, column %d: unknown column %q%s", line, i+1, name, hint))
		case h.at[c] >= 0:
			errs = append(errs, fmt.Errorf("line %d, column %d: column %s is there twice", line, i+1, columns[c]))
		default:
			h.at[c] = i
		}
	}
	for c, required := range []bool{true, false, false, true} {
		if required && h.at[c] < 0 {
			errs = append(errs, fmt.Errorf("line %d: column %s is missing", line, columns[c]))
		}
	}
	return h, errors.Join(errs...)
}

// plain strips a column name of what does not matter.
func plain(name string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "").Replace(strings.ToLower(name))
}

// row reads one record. Every error names line and column.
func (h header) row(record []string, line int) (Row, error) {
	var errs []error
	fail := func(column string, err error) {
		errs = append(errs, fmt.Errorf("line %d, column %s: %w", line, column, err))
	}
	if len(record) > h.width {
		fail(strconv.Itoa(h.width+1), fmt.Errorf("%d fields under %d columns", len(record), h.width))
	}
	field := func(c int) string {
		if h.at[c] < 0 || h.at[c] >= len(record) {
			return ""
		}
		return strings.TrimSpace(record[h.at[c]])
	}
	row := Row{InstanceType: field(0), Zone: field(1), CapacityType: field(2)}
	if row.InstanceType == "" {
		fail(columns[0], errEmpty)
	}
	switch row.CapacityType {
	case "", requirements.CapacityTypeOnDemand, requirements.CapacityTypeSpot, requirements.CapacityTypeReserved:
	default:
		fail(columns[2], fmt.Errorf("unknown capacity type %q: it is on-demand, spot or reserved", row.CapacityType))
	}
	var err error
	if row.Hourly, err = parsePrice(field(3)); err != nil {
		fail(columns[3], err)
	}
	return row, errors.Join(errs...)
}

var errEmpty = errors.New("it is empty")

func parsePrice(text string) (float64, error) {
	if text == "" {
		return 0, errEmpty
	}
	price, err := strconv.ParseFloat(text, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) { // out of range is infinite or zero
		return 0, fmt.Errorf("%q is no number", text)
	}
	return price, instancetypes.CheckPrice(price)
}
