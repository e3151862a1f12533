"""Words that names, companies and titles are made of. Commoner ones come first."""

from __future__ import annotations


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(","))


FIRST_NAMES = _words(
    "James Mary John Patricia Robert Jennifer Michael Linda David Elizabeth William Barbara "
    "Richard Susan Joseph Jessica Thomas Sarah Carlos Karen Daniel Lisa Matthew Nancy Anthony "
    "Sofia Mark Sandra Paul Ashley Steven Emily Andrew Kimberly Kenneth Donna Joshua Michelle "
    "Kevin Carol Brian Amanda George Melissa Edward Deborah Ronald Stephanie Timothy Laura Jason "
    "Cynthia Jeffrey Amy Ryan Kathleen Jacob Angela Gary Priya Lars Ingrid Kenji Yuki Omar Fatima"
)
LAST_NAMES = _words(
    "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez "
    "Gonzalez Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris "
    "Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King Wright Scott Torres Nguyen Hill "
    "Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez Phillips "
    "Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers "
    "Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson "
    "Watson Brooks Chavez Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo "
    "Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry Russell Sullivan Bell "
    "Coleman Butler Henderson Barnes Fisher Vasquez Simmons Romero Jordan Patterson Alexander "
    "Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson Ellis "
    "Tran Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison Fernandez Mcdonald "
    "Woods Washington Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford "
    "Olson Simpson Porter Hunter Gordon Mendez Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks "
    "Holmes Palmer Wagner Black Robertson Boyd Rose Stone Salazar Fox Warren Mills Meyer Rice "
    "Schmidt Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn"
)
COMPANY_FIRST = _words(
    "Acorn Alpine Amber Anchor Apex Arbor Arctic Aspen Atlas Aurora Azure Beacon Birch Blue Bright "
    "Canyon Cedar Century Citadel Clear Cobalt Coral Crescent Crown Crystal Delta Eagle Eastern "
    "Echo Elm Ember Emerald Evergreen Falcon First Fjord Frontier Garnet Glacier Golden Granite "
    "Harbor Hawthorn Horizon Indigo Iron Ivory Jade Juniper Keystone Lakeside Laurel Liberty Lunar "
    "Magnolia Maple Marble Meadow Meridian Metro Midland Mistral Monarch Nimbus Noble Northern "
    "Nova Oak Ocean Onyx Opal Orchid Pacific Pearl Pine Pioneer Polar Prairie Prime Quartz Raven "
    "Redwood Regent River Ruby Sable Saffron Sapphire Sequoia Sierra Silver Solar Sterling Summit "
    "Sunrise Timber Topaz"
)
COMPANY_SECOND = _words(
    "Analytics Apparel Automation Aviation Bakeries Bank Bio Brands Capital Ceramics Chemicals "
    "Clinics Cloud Components Construction Consulting Controls Dairy Data Design Devices Dynamics "
    "Education Electric Energy Engineering Farms Fibers Finance Foods Freight Furniture Games "
    "Glass Health Hotels Imaging Insurance Labs Logistics Machines Marine Materials Media Medical "
    "Metals Mobility Motors Networks Optics Paper Pharma Plastics Power Retail Robotics Security "
    "Software Studios Systems Telecom"
)
COMPANY_THIRD = _words(
    "Inc Group Partners Holdings International Works Solutions Services Industries Ventures Global "
    "Collective Enterprises Company Limited Associates Alliance"
)
TITLES = (
    "Sales Manager",
    "Marketing Manager",
    "Director of Operations",
    "Operations Analyst",
    "Software Engineer",
    "IT Manager",
    "Head of Procurement",
    "VP Sales",
    "Office Manager",
    "Chief Executive Officer",
    "Chief Technology Officer",
    "Product Manager",
    "Buyer",
    "",
    "Finance Director",
    "Founder",
    "Consultant",
    "Project Lead",
)
INDUSTRIES = (
    "Software",
    "Manufacturing",
    "Healthcare",
    "Financial Services",
    "Retail",
    "Education",
    "Logistics",
    "Energy",
    "Media",
    "Telecommunications",
    "Construction",
    "Hospitality",
)
SOURCES = (
    "website",
    "referral",
    "webinar",
    "google organic",
    "cold list",
    "event",
    "partner",
    "demo request",
    "content download",
    "chat",
)
LOSS_REASONS = ("price", "no decision", "competitor", "missing feature", "timing", "no budget")
NEXT_STEPS = ("", "Send the proposal", "Call about the budget", "Book a demo", "Meet legal")
OFFERS = ("renewal", "platform", "expansion", "pilot", "migration", "seats", "support plan")

STATES = _listed(
    "California, Texas, Florida, New York, North Carolina, New Jersey, South Carolina, New "
    "Mexico, West Virginia, New Hampshire, Rhode Island, North Dakota, South Dakota, Illinois, "
    "Pennsylvania, Ohio, Georgia, Michigan, Virginia, Washington, Arizona, Massachusetts, "
    "Tennessee, Indiana, Maryland, Missouri, Wisconsin, Colorado, Minnesota, Alabama, "
    "Louisiana, Kentucky, Oregon, Oklahoma, Connecticut, Utah, Iowa, Nevada, Arkansas, Kansas, "
    "Mississippi, Nebraska, Idaho, Hawaii, Maine, Montana, Delaware, Alaska, Vermont, Wyoming "
)
PROVINCES = ("Ontario", "Quebec", "Alberta", "Manitoba", "Saskatchewan", "Yukon")
WESTERN_COUNTRIES = _words(
    "GB DE FR NL ES IT SE CH BE AT DK NO FI IE PL PT CZ GR HU RO BG HR SK SI LT LV EE LU IS MT "
    "CY MX BR AR CL CO PE UY CR PA EC"
)
EASTERN_COUNTRIES = _words("JP IN AU SG KR NZ MY TH VN PH")
CITIES = _words(
    "Springfield Riverside Franklin Greenville Bristol Clinton Fairview Salem Madison Georgetown "
    "Arlington Ashland Dover Oxford Jackson Burlington Manchester Milton Newport Auburn"
)
