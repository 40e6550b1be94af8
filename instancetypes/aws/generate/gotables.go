package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
)

// limits are what the network interfaces of a type hold.
type limits struct {
	interfaces       int // of the default network card, which alone serves pods
	ipv4PerInterface int
	branchInterfaces int // for pods with their own security group; 0 if it cannot trunk
	hypervisor       string
	bareMetal        bool
}

// parseTable parses Go source and returns the composite literal that
// initialises the named package variable.
func parseTable(file, variable string, src any) (*ast.CompositeLit, error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, decl := range parsed.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			value := spec.(*ast.ValueSpec)
			for i, name := range value.Names {
				if name.Name != variable || i >= len(value.Values) {
					continue
				}
				if table, ok := value.Values[i].(*ast.CompositeLit); ok {
					return table, nil
				}
			}
		}
	}
	return nil, fmt.Errorf("%s: no table %s", file, variable)
}

// entries calls visit for each key and value of a map or struct literal.
func entries(literal *ast.CompositeLit, visit func(key string, value ast.Expr) error) error {
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			return fmt.Errorf("element %T has no key", element)
		}
		var key string
		switch k := pair.Key.(type) {
		case *ast.Ident:
			key = k.Name
		case *ast.BasicLit:
			unquoted, err := strconv.Unquote(k.Value)
			if err != nil {
				return fmt.Errorf("key %s: %w", k.Value, err)
			}
			key = unquoted
		default:
			return fmt.Errorf("key %T is neither a name nor a string", pair.Key)
		}
		if err := visit(key, pair.Value); err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	return nil
}

// parsePrices reads a table of on-demand prices in US dollars by region and type.
func parsePrices(file, variable string, src any) (map[string]map[string]float64, error) {
	table, err := parseTable(file, variable, src)
	if err != nil {
		return nil, err
	}
	prices := map[string]map[string]float64{}
	err = entries(table, func(region string, value ast.Expr) error {
		byType, ok := value.(*ast.CompositeLit)
		if !ok {
			return fmt.Errorf("%T is no table", value)
		}
		prices[region] = make(map[string]float64, len(byType.Elts))
		return entries(byType, func(instanceType string, value ast.Expr) error {
			price, err := number(value)
			if err != nil {
				return err
			}
			prices[region][instanceType] = price
			return nil
		})
	})
	return prices, err
}

// parseBandwidth reads the table of network bandwidths in Mbit/s by type.
func parseBandwidth(file string, src any) (map[string]int, error) {
	table, err := parseTable(file, "InstanceTypeBandwidthMegabits", src)
	if err != nil {
		return nil, err
	}
	bandwidth := make(map[string]int, len(table.Elts))
	err = entries(table, func(instanceType string, value ast.Expr) error {
		mbits, err := number(value)
		bandwidth[instanceType] = int(mbits)
		return err
	})
	return bandwidth, err
}

// parseLimits reads the table of network interface limits by type.
func parseLimits(file string, src any) (map[string]limits, error) {
	table, err := parseTable(file, "Limits", src)
	if err != nil {
		return nil, err
	}
	all := make(map[string]limits, len(table.Elts))
	err = entries(table, func(instanceType string, value ast.Expr) error {
		literal, err := structLiteral(value)
		if err != nil {
			return err
		}
		all[instanceType], err = parseLimit(literal)
		return err
	})
	return all, err
}

func parseLimit(literal *ast.CompositeLit) (limits, error) {
	var l limits
	var branch, defaultCard int
	var trunking bool
	var cards []int
	err := entries(literal, func(field string, value ast.Expr) (err error) {
		switch field {
		case "Interface":
			l.interfaces, err = integer(value)
		case "IPv4PerInterface":
			l.ipv4PerInterface, err = integer(value)
		case "BranchInterface":
			branch, err = integer(value)
		case "DefaultNetworkCardIndex":
			defaultCard, err = integer(value)
		case "IsTrunkingCompatible":
			trunking, err = boolean(value)
		case "IsBareMetal":
			l.bareMetal, err = boolean(value)
		case "Hypervisor":
			l.hypervisor, err = text(value)
		case "NetworkCards":
			cards, err = cardInterfaces(value)
		}
		return err
	})
	if err != nil {
		return limits{}, err
	}
	if trunking {
		l.branchInterfaces = branch
	}
	if len(cards) > 0 {
		if defaultCard < 0 || defaultCard >= len(cards) {
			return limits{}, fmt.Errorf("default network card %d of %d", defaultCard, len(cards))
		}
		l.interfaces = cards[defaultCard]
	}
	return l, nil
}

// cardInterfaces returns how many interfaces each network card holds.
func cardInterfaces(value ast.Expr) ([]int, error) {
	literal, err := structLiteral(value)
	if err != nil {
		return nil, err
	}
	var cards []int
	for _, element := range literal.Elts {
		card, err := structLiteral(element)
		if err != nil {
			return nil, err
		}
		interfaces := 0
		err = entries(card, func(field string, value ast.Expr) (err error) {
			if field == "MaximumNetworkInterfaces" {
				interfaces, err = integer(value)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		cards = append(cards, interfaces)
	}
	return cards, nil
}

func structLiteral(value ast.Expr) (*ast.CompositeLit, error) {
	if pointer, ok := value.(*ast.UnaryExpr); ok && pointer.Op == token.AND {
		value = pointer.X
	}
	if literal, ok := value.(*ast.CompositeLit); ok {
		return literal, nil
	}
	return nil, fmt.Errorf("%T is no struct", value)
}

func number(value ast.Expr) (float64, error) {
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return 0, fmt.Errorf("%T is no number", value)
	}
	return strconv.ParseFloat(literal.Value, 64)
}

func integer(value ast.Expr) (int, error) {
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return 0, fmt.Errorf("%T is no number", value)
	}
	return strconv.Atoi(literal.Value)
}

func text(value ast.Expr) (string, error) {
	literal, ok := value.(*ast.BasicLit)
	if !ok {
		return "", fmt.Errorf("%T is no string", value)
	}
	return strconv.Unquote(literal.Value)
}

func boolean(value ast.Expr) (bool, error) {
	name, ok := value.(*ast.Ident)
	if !ok || name.Name != "true" && name.Name != "false" {
		return false, fmt.Errorf("%T is neither true nor false", value)
	}
	return name.Name == "true", nil
}
