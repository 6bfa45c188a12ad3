"""What stands in a document for values that come at run time: references, templates and conditions."""
