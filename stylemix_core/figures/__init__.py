"""Pictures on labelled sheets: `grid` lays out any, `sheets` are those of many codes at once."""
